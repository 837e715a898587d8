#include "config/url_fault.hpp"

#include <doctest/doctest.h>

namespace tokometer {

TEST_CASE("good urls") {
  for (const char* url :
       {"http://h", "https://h:443", "http://localhost:8000/v1", "http://127.0.0.1:1/a/b/", "http://[::1]",
        "http://[2001:db8::1]:65535/x", "grpc://h:8001", "grpcs://h", "unix:///run/s.sock"}) {
    CAPTURE(url);
    CHECK(url_fault(url).empty());
  }
}

TEST_CASE("bad urls") {
  for (const char* url : {"",
                          "h",
                          "h:80",
                          "HTTP//h",
                          "http:/h",
                          "://h",
                          "http://",
                          "http://:80",
                          "http://h:99999",
                          "http://h:-1",
                          "http://h: 80",
                          "http://[::1",
                          "http://[::1]x",
                          "http://[]",
                          "http://a:b:c",
                          "http://u@h",
                          "http://h#f",
                          "http://h\n",
                          "unix://run/s",
                          "unix:///run/",
                          "unix:///a?b"}) {
    CAPTURE(url);
    CHECK_FALSE(url_fault(url).empty());
  }
}

TEST_CASE("a password never stands in the sentence") {
  for (const char* url : {"http://user:hunter2@h", "user:hunter2@h", "ftp://user:hunter2@h:99999"}) {
    CHECK(url_fault(url).find("hunter2") == std::string::npos);
  }
}

}  // namespace tokometer

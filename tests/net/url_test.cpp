#include <doctest/doctest.h>

#include <string>

#include "net/url.hpp"

using namespace tokometer;

namespace {

struct Good {
  const char* text;
  const char* host;
  int port;
  const char* prefix;
  const char* authority;
  bool tls = false;
};

struct Bad {
  std::string text;
  std::string message;
};

}  // namespace

TEST_CASE("URLs that are taken") {
  const Good cases[] = {
      {"http://h:8000", "h", 8000, "", "h:8000"},
      {"http://h:8000/", "h", 8000, "", "h:8000"},
      {"http://h:8000/v1", "h", 8000, "", "h:8000"},
      {"http://h:8000/v1/", "h", 8000, "", "h:8000"},
      {"http://h:8000/gateway", "h", 8000, "/gateway", "h:8000"},
      {"http://h:8000/gateway/v1/", "h", 8000, "/gateway", "h:8000"},
      {"http://h:8000/v1/gateway", "h", 8000, "/v1/gateway", "h:8000"},
      {"http://h:8000/xv1", "h", 8000, "/xv1", "h:8000"},
      {"http://h", "h", 9000, "", "h:9000"},  // the profile's port
      {"HTTP://H.Example", "h.example", 9000, "", "h.example:9000"},
      {"http://h:80", "h", 80, "", "h"},
      {"http://127.0.0.1:8000", "127.0.0.1", 8000, "", "127.0.0.1:8000"},
      {"http://[::1]:8000/v1", "::1", 8000, "", "[::1]:8000"},
      {"http://[2001:db8::1]", "2001:db8::1", 9000, "", "[2001:db8::1]:9000"},
      {"https://h", "h", 443, "", "h", true},
      {"https://h:8443/a/b", "h", 8443, "/a/b", "h:8443", true},
      {"grpc://h", "h", 9000, "", "h:9000"},
      {"grpcs://h", "h", 443, "", "h", true},
      {"http://vllm_server.ns-1:8000", "vllm_server.ns-1", 8000, "", "vllm_server.ns-1:8000"},
  };
  for (const Good& c : cases) {
    CAPTURE(c.text);
    const auto url = parse_url(c.text, 9000);
    REQUIRE(url);
    CHECK(url->host == c.host);
    CHECK(url->port == c.port);
    CHECK(url->path_prefix == c.prefix);
    CHECK(url->authority() == c.authority);
    CHECK(url->tls == c.tls);
  }
  CHECK(parse_url("http://h", 0)->port == 80);
  CHECK(parse_url("http://[::1]:8000/gw/v1", 0)->text() == "http://[::1]:8000/gw");
}

TEST_CASE("a Unix socket") {
  const auto url = parse_url("unix:///run/vllm.sock", 8000);
  REQUIRE(url);
  CHECK(url->socket_path == "/run/vllm.sock");
  CHECK(url->authority() == "localhost");
  CHECK(url->text() == "unix:///run/vllm.sock");
  CHECK(url->path_prefix.empty());
  const auto endpoints = resolve(*url, 1);
  REQUIRE(endpoints);
  REQUIRE(endpoints->size() == 1);
  CHECK(endpoints->front().address.ss_family == AF_UNIX);
  CHECK(endpoints->front().text == "unix:///run/vllm.sock");
  CHECK(parse_url("unix:///" + std::string(106, 's'), 0));
}

TEST_CASE("URLs that are refused") {
  const Bad cases[] = {
      {"h:8000", "a URL needs a scheme: http://host:port (got \"h:8000\")"},
      {"", "a URL needs a scheme: http://host:port (got \"\")"},
      {"ftp://h", "the scheme must be http, https, unix, grpc or grpcs (got \"ftp://h\")"},
      {"unix://run/s", "unix:// needs an absolute path of at most 107 bytes (got \"run/s\")"},
      {"unix:///" + std::string(107, 's'),
       "unix:// needs an absolute path of at most 107 bytes (got \"/" + std::string(107, 's') + "\")"},
      {"http://h:65536", "port must be 1-65535 (got 65536)"},
      {"http://h:0", "port must be 1-65535 (got 0)"},
      {"http://h:", "port must be 1-65535 (got )"},
      {"http://h:80a", "port must be 1-65535 (got 80a)"},
      {"http://h:-1", "port must be 1-65535 (got -1)"},
      {"http://", "the host is missing (got \"\")"},
      {"http://:8000", "the host is missing (got \":8000\")"},
      {"http://::1:8000", "an IPv6 address needs brackets: http://[::1]:8000 (got \"::1:8000\")"},
      {"http://[::1", "the IPv6 address is not closed by \"]\" (got \"[::1\")"},
      {"http://[::g]:1", "not a valid IPv6 address (got \"[::g]:1\")"},
      {"http://[::1]8000", "not a valid IPv6 address (got \"[::1]8000\")"},
      {"http://a b:1", "a URL holds no blanks, control characters or \"\\\" (got \"http://a b:1\")"},
      {"http://h:1/a?b=c", "the URL may not have a query or fragment (got \"http://h:1/a?b=c\")"},
      {"http://h:1#x", "the URL may not have a query or fragment (got \"http://h:1#x\")"},
      {"http://user:canary@h:1",
       "credentials do not belong in the URL: use target.api_key or target.headers"},
      {"user:canary@h:1", "credentials do not belong in the URL: use target.api_key or target.headers"},
      {"http://h$:1", "the host may hold letters, digits, \"-\", \"_\" and \".\" only (got \"h$:1\")"},
  };
  for (const Bad& c : cases) {
    CAPTURE(c.text);
    const auto url = parse_url(c.text, 8000);
    REQUIRE_FALSE(url);
    CHECK(url.error().message == c.message);
  }
}

TEST_CASE("addresses") {
  SUBCASE("literals need no resolver") {
    const auto v4 = resolve(*parse_url("http://127.0.0.1:8000", 0), 1);
    REQUIRE(v4);
    REQUIRE(v4->size() == 1);
    CHECK((*v4)[0].text == "127.0.0.1:8000");
    CHECK((*v4)[0].address.ss_family == AF_INET);
    const auto v6 = resolve(*parse_url("http://[::1]:8000", 0), 1);
    REQUIRE(v6);
    CHECK((*v6)[0].text == "[::1]:8000");
  }
  SUBCASE("localhost and names below it are the loopback, hosts file or not") {
    for (const char* url : {"http://localhost:1", "http://api.localhost:1"}) {
      const auto found = resolve(*parse_url(url, 0), 5'000'000'000);
      REQUIRE(found);
      for (const Endpoint& endpoint : *found) {
        CHECK((endpoint.text == "127.0.0.1:1" || endpoint.text == "[::1]:1"));
      }
    }
  }
}

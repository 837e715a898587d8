#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "net/request_head.hpp"

using namespace tokometer;

TEST_CASE("the head of a request") {
  const std::vector<Field> fields = {{"Content-Type", "application/json"}, {"Authorization", "Bearer x"}};
  RequestHead head;
  head.target = "/v1/chat/completions";
  head.authority = "gpu:8000";
  head.accept = "text/event-stream";
  head.request_id = "run-7";
  head.headers = fields;
  head.content_length = 12;
  std::string out = "kept ";
  REQUIRE(write_request_head(head, out));
  CHECK(out ==
        "kept POST /v1/chat/completions HTTP/1.1\r\n"
        "Host: gpu:8000\r\n"
        "User-Agent: tokometer/0.1.0\r\n"
        "Accept: text/event-stream\r\n"
        "Accept-Encoding: identity\r\n"
        "Connection: keep-alive\r\n"
        "X-Request-Id: run-7\r\n"
        "Content-Type: application/json\r\n"
        "Authorization: Bearer x\r\n"
        "Content-Length: 12\r\n\r\n");

  SUBCASE("without a body, on a connection of its own") {
    RequestHead get;
    get.method = "GET";
    get.target = "/health";
    get.authority = "h";
    get.keep_alive = false;
    out.clear();
    REQUIRE(write_request_head(get, out));
    CHECK(out.find("Connection: close\r\n") != std::string::npos);
    CHECK(out.find("Content-Length") == std::string::npos);
    CHECK(out.find("X-Request-Id") == std::string::npos);
  }
}

TEST_CASE("nothing gets past the gate") {
  RequestHead head;
  head.target = "/x";
  head.authority = "h";
  std::vector<Field> fields;
  std::string expected = "control characters are not allowed";
  const std::string long_name(300, 'n');
  const std::string long_value(40'000, 'v');
  const std::string nul("a\0b", 3);

  SUBCASE("CR LF in a value") {
    fields = {{"X-A", "1\r\nX-B: 2"}};
  }
  SUBCASE("LF in a value") {
    fields = {{"X-A", "1\n2"}};
  }
  SUBCASE("CR in a value") {
    fields = {{"X-A", "1\r2"}};
  }
  SUBCASE("NUL in a value") {
    fields = {{"X-A", nul}};
  }
  SUBCASE("DEL in a value") {
    fields = {{"X-A", "\x7f"}};
  }
  SUBCASE("CR LF in a name") {
    fields = {{"X-A\r\nX-B", "1"}};
  }
  SUBCASE("NUL in a name") {
    fields = {{nul, "1"}};
  }
  SUBCASE("colon in a name") {
    fields = {{"X:A", "1"}}, expected = "a name holds letters";
  }
  SUBCASE("blank in a name") {
    fields = {{"X A", "1"}}, expected = "a name holds letters";
  }
  SUBCASE("empty name") {
    fields = {{"", "1"}}, expected = "a name holds letters";
  }
  SUBCASE("long name") {
    fields = {{long_name, "1"}}, expected = "more than 256 bytes";
  }
  SUBCASE("long value") {
    fields = {{"X-A", long_value}}, expected = "more than 32768 bytes";
  }
  SUBCASE("Host") {
    fields = {{"HOST", "evil"}}, expected = "belongs to the transport";
  }
  SUBCASE("Content-Length") {
    fields = {{"Content-length", "1"}}, expected = "belongs to the transport";
  }
  SUBCASE("Transfer-Encoding") {
    fields = {{"transfer-encoding", "chunked"}}, expected = "belongs to the transport";
  }
  SUBCASE("path with CR LF") {
    head.target = "/x HTTP/1.1\r\nA: b", expected = "request path";
  }
  SUBCASE("path with a blank") {
    head.target = "/a b", expected = "request path";
  }
  SUBCASE("path without a slash") {
    head.target = "a", expected = "request path";
  }
  SUBCASE("method") {
    head.method = "GET /", expected = "request method";
  }
  SUBCASE("request id") {
    head.request_id = "a\r\nb";
  }
  SUBCASE("accept") {
    head.accept = "a\nb";
  }
  SUBCASE("authority") {
    head.authority = "a\r\nb";
  }

  head.headers = fields;
  std::string out = "kept";
  const auto written = write_request_head(head, out);
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find(expected) != std::string::npos);
  CHECK(out == "kept");
}

TEST_CASE("a value may hold tabs and high bytes") {
  const std::vector<Field> fields = {{"X-A", "a\tb caf\xc3\xa9"}};
  std::string out;
  CHECK(write_request_head({.target = "/", .authority = "h", .headers = fields}, out));
}

TEST_CASE("which headers belong to the transport") {
  const auto may_be_set = [](std::string_view name) {
    const std::vector<Field> fields = {{name, "x"}};
    std::string out;
    return write_request_head({.target = "/", .authority = "h", .headers = fields}, out).ok();
  };
  for (const char* name : {"Host", "te", "Expect", "Accept-Encoding", "connection", "Upgrade", "trailer"})
    CHECK_FALSE(may_be_set(name));
  for (const char* name : {"Authorization", "Cookie", "Content-Type", "X-Api-Key", "hos", "hostx"})
    CHECK(may_be_set(name));
}

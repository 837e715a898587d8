#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "http2_peer.hpp"
#include "net/fetch.hpp"
#include "net/grpc.hpp"
#include "net/request_head.hpp"

using namespace tokometer;
using namespace tokometer::testing;

namespace {

using Progress = GrpcReader::Progress;

// Feeds `wire` in pieces of these sizes, the last one again and again; "a|b|" and a fault's class.
std::string read_all(const std::string& wire, const std::vector<size_t>& sizes, bool* is_inside = nullptr) {
  GrpcReader reader;
  std::string out;
  size_t at = 0;
  for (size_t i = 0; at < wire.size(); ++i) {
    const size_t size = std::min(sizes[std::min(i, sizes.size() - 1)], wire.size() - at);
    const std::string piece = wire.substr(at, size) + std::string(64, 'x');
    std::string_view left = std::string_view(piece).substr(0, size), message;
    Progress progress{};
    while ((progress = reader.read(left, message)) == Progress::message) out.append(message).append("|");
    if (progress == Progress::failed) return out + reader.fault().cls;
    CHECK(left.empty());
    at += size;
  }
  if (is_inside != nullptr) *is_inside = reader.is_inside();
  return out;
}

std::string framed(const std::vector<std::string>& messages) {
  std::string wire;
  for (const std::string& message : messages) append_grpc_message(message, wire);
  return wire;
}

GrpcStatus status_of(std::vector<Field> fields) {
  return read_grpc_status(fields);
}

}  // namespace

TEST_CASE("grpc: a message on the wire") {
  std::string wire;
  append_grpc_message(std::string(258, 'm'), wire);
  CHECK(wire.substr(0, 5) == std::string("\0\0\0\1\2", 5));
  CHECK(wire.size() == 263);
}

TEST_CASE("grpc: messages cut anywhere") {
  const std::vector<std::string> messages = {"one", "", "three and more", std::string(300, 'x'), ""};
  const std::string wire = framed(messages);
  std::string expected;
  for (const std::string& message : messages) expected += message + "|";
  CHECK(read_all(wire, {wire.size()}) == expected);
  CHECK(read_all(wire, {1}) == expected);
  CHECK(read_all(wire, {7}) == expected);
  for (size_t first = 1; first < wire.size(); ++first) {
    bool is_inside = true;
    CHECK(read_all(wire, {first, wire.size()}, &is_inside) == expected);
    CHECK(!is_inside);
    for (size_t second = 1; second < 20; ++second)
      CHECK(read_all(wire, {first, second, wire.size()}) == expected);
  }
}

TEST_CASE("grpc: a message that lies whole in the bytes is not copied") {
  const std::string wire = framed({"first", "second"}) + std::string(64, 'x');
  std::string_view left = std::string_view(wire).substr(0, wire.size() - 64), message;
  GrpcReader reader;
  CHECK(reader.read(left, message) == Progress::message);
  CHECK(message.data() == wire.data() + 5);
  CHECK(reader.read(left, message) == Progress::message);
  CHECK(message.data() == wire.data() + 15);
  CHECK(reader.read(left, message) == Progress::more);
}

TEST_CASE("grpc: an end inside a message is seen") {
  const std::string wire = framed({"one", "two"});
  for (size_t size = 1; size < wire.size(); ++size) {
    bool is_inside = false;
    const std::string got = read_all(wire.substr(0, size), {3}, &is_inside);
    CHECK(is_inside == (size != 8));
    CHECK(got == (size < 8 ? "" : "one|"));
  }
}

TEST_CASE("grpc: what is refused") {
  const auto prefix = [](char flag, uint32_t size) { return std::string(1, flag) + u32(size); };
  struct Case {
    std::string wire;
    const char* expected;
  };
  const std::vector<Case> cases = {{prefix('\1', 3) + "abc", "encoding"},
                                   {prefix('\7', 0), "encoding"},
                                   {prefix('\0', 4 * 1024 * 1024 + 1), "limit"},
                                   {prefix('\0', 0xffffffff), "limit"},
                                   {framed({"good"}) + prefix('\1', 0), "good|encoding"},
                                   {prefix('<', 0x68746d6c), "encoding"}};
  for (const Case& c : cases) {
    for (size_t size : {size_t{1}, size_t{2}, size_t{4}, c.wire.size()})
      CHECK(read_all(c.wire, {size}) == c.expected);
  }
  CHECK(read_all(framed({std::string(4 * 1024 * 1024, 'y')}), {100'000}).size() == 4 * 1024 * 1024 + 1);
}

TEST_CASE("grpc: a reader is used again") {
  GrpcReader reader;
  std::string wire = std::string(1, '\1') + u32(0) + std::string(64, 'x');
  std::string_view left = std::string_view(wire).substr(0, 5), message;
  CHECK(reader.read(left, message) == Progress::failed);
  CHECK(reader.read(left, message) == Progress::failed);
  reader.reset();
  wire = framed({"ok"}) + std::string(64, 'x');
  left = std::string_view(wire).substr(0, 7);
  REQUIRE(reader.read(left, message) == Progress::message);
  CHECK(message == "ok");
}

TEST_CASE("grpc: status and message of trailers") {
  struct Case {
    std::vector<Field> trailers;
    int code;
    const char* message;
  };
  const std::vector<Case> cases = {
      {{{"grpc-status", "0"}}, 0, ""},
      {{{"x", "y"}, {"grpc-status", "14"}, {"grpc-message", "queue is full"}}, 14, "queue is full"},
      {{{"grpc-status", "16"}, {"grpc-message", "100%25 na%C3%AFve"}}, 16, "100% na\xc3\xafve"},
      {{{"grpc-status", "13"}, {"grpc-message", "%zz %4 %"}}, 13, "%zz %4 %"},
      {{{"grpc-status", "13"}, {"grpc-message", "%0A%1b"}}, 13, "\n\x1b"},
      {{}, 2, "the reply ended without a grpc-status"},
      {{{"grpc-message", "lost"}}, 2, "the reply ended without a grpc-status"},
      {{{"grpc-status", "99"}}, 2, "the grpc-status \"99\" is none"},
      {{{"grpc-status", "17"}}, 2, "the grpc-status \"17\" is none"},
      {{{"grpc-status", "abc"}}, 2, "the grpc-status \"abc\" is none"},
      {{{"grpc-status", ""}}, 2, "the grpc-status \"\" is none"},
      {{{"grpc-status", "-1"}}, 2, "the grpc-status \"-1\" is none"},
      {{{"grpc-status", "0x0"}}, 2, "the grpc-status \"0x0\" is none"},
      {{{"grpc-status", "0"}, {"grpc-status", "0"}}, 2, "the reply has 2 grpc-status fields"},
  };
  for (const Case& c : cases) {
    const GrpcStatus status = status_of(c.trailers);
    CHECK(status.code == c.code);
    CHECK(status.message == c.message);
  }
}

TEST_CASE("grpc: names of the codes") {
  CHECK(grpc_code_name(0) == "ok");
  CHECK(grpc_code_name(4) == "deadline_exceeded");
  CHECK(grpc_code_name(8) == "resource_exhausted");
  CHECK(grpc_code_name(16) == "unauthenticated");
  CHECK(grpc_code_name(17) == "unknown");
  CHECK(grpc_code_name(-1) == "unknown");
}

TEST_CASE("grpc: the deadline that a server is told") {
  CHECK(grpc_timeout(1) == "1u");
  CHECK(grpc_timeout(1'500'000) == "1500u");
  CHECK(grpc_timeout(99'999'999'000) == "99999999u");
  CHECK(grpc_timeout(99'999'999'001) == "100000m");
  CHECK(grpc_timeout(86'400'000'000'000) == "86400000m");
  CHECK(grpc_timeout(INT64_MAX) == "99999999S");
}

TEST_CASE("grpc: the head of a call") {
  const std::vector<Field> metadata = {{"X-Key", "v"}};
  std::string out;
  REQUIRE(write_grpc_request_head({.path = "/a.B/C",
                                   .authority = "h:1",
                                   .request_id = "r1",
                                   .timeout_ns = 2'000'000,
                                   .headers = metadata},
                                  out));
  std::replace(out.begin(), out.end(), '\0', ' ');
  CHECK(out.find(":method POST :scheme http :authority h:1 :path /a.B/C te trailers grpc-timeout 2000u "
                 "content-type application/grpc grpc-accept-encoding identity user-agent tokometer/") == 0);
  CHECK(out.ends_with(" x-request-id r1 x-key v  "));
  const std::vector<Field> bad = {{"x", "a\nb"}};
  CHECK(!write_grpc_request_head({.path = "/a.B/C", .authority = "h", .headers = bad}, out));
  CHECK(!write_grpc_request_head({.path = "a.B/C", .authority = "h"}, out));
}

TEST_CASE("grpc: fetch") {
  const std::string type = field("content-type", "application/grpc");
  const auto trailers = [](std::string_view fields) {
    return frame(kHeaders, kEndStream | kEndHeaders, 1, fields);
  };
  struct Case {
    const char* name;
    std::string reply;
    int status;        // of gRPC; -1: no answer
    std::string text;  // messages, each with "|", and the message of the status; or the error's begin
  };
  const std::vector<Case> cases = {
      {"two messages", head(1, type) + data(1, framed({"a", "bc"})) + trailers(field("grpc-status", "0")), 0,
       "a|bc|"},
      {"trailers only",
       head(1, type + field("grpc-status", "5") + field("grpc-message", "no%20such"), kEndStream), 5,
       "no such"},
      {"no trailers", head(1, type) + data(1, framed({"a"}), kEndStream), 2,
       "a|the reply ended without a grpc-status"},
      {"a status after messages",
       head(1, type) + data(1, framed({"a"})) + trailers(field("grpc-status", "13")), 13, "a|"},
      {"cut inside a message",
       head(1, type) + data(1, framed({"abc"}).substr(0, 6)) + trailers(field("grpc-status", "0")), -1,
       "truncated: gRPC "},
      {"compressed",
       head(1, type) + data(1, std::string("\1\0\0\0\1z", 6)) + trailers(field("grpc-status", "0")), -1,
       "encoding: gRPC "},
      {"a page of a proxy",
       frame(kHeaders, kEndHeaders, 1, field(":status", "502")) + data(1, "<html>bad gateway", kEndStream),
       -1, "status.502: gRPC "},
      {"a page of another server",
       head(1, field("content-type", "text/html")) + data(1, "<html>hello", kEndStream), -1,
       "content_type: gRPC "},
      {"HTTP/1.1", "HTTP/1.1 400 Bad Request\r\n\r\n", -1, "h2: gRPC "},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    Server server([&](Peer& peer, int) {
      Http2Peer http2(peer);
      http2.request();
      http2.send(c.reply);
      http2.next(0xfe);  // until it closes
    });
    FetchRequest request{.url = *parse_url("grpc://h", 1), .endpoints = {server.endpoint()}};
    request.path = "/a.B/C";
    request.grpc = true;
    append_grpc_message("hello", request.body);
    const auto answer = fetch(request);
    if (!answer) {
      CHECK(c.status == -1);
      CHECK(answer.error().message.substr(0, c.text.size()) == c.text);
      continue;
    }
    CHECK(answer->grpc_status == c.status);
    CHECK(answer->status == 200);
    std::string text;
    size_t begin = 0;
    for (const size_t end : answer->message_ends) {
      text += answer->body.substr(begin, end - begin) + "|";
      begin = end;
    }
    CHECK(text + answer->grpc_message == c.text);
  }
}

// What a real gRPC server (Triton 2.51.0) has sent on one connection, fed to our session in all cuts: status,
// messages, and the frames that follow on streams that have ended.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <list>
#include <string>
#include <vector>

#include "net/grpc.hpp"
#include "net/http2.hpp"
#include "net/request_head.hpp"

using namespace tokometer;

namespace {

std::string recorded(const std::string& name) {
  std::ifstream file(TOKOMETER_RECORDED "/triton-" + name + ".res", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Call {
  Http2Stream stream;
  GrpcReader reader;
  size_t messages = 0, bytes = 0;
  std::string end;  // "5 message of the status"
};

void take(Call& call) {
  for (const std::string_view piece : call.stream.pieces) {
    const std::string padded = std::string(piece) + std::string(64, 'x');
    std::string_view left = std::string_view(padded).substr(0, piece.size()), message;
    while (call.reader.read(left, message) == GrpcReader::Progress::message) {
      ++call.messages;
      call.bytes += message.size();
    }
  }
  if (!call.stream.has_ended || !call.end.empty()) return;
  std::vector<Field> fields;
  (call.stream.is_head_only ? call.stream.head : call.stream.trailers).read(fields);
  const GrpcStatus status = read_grpc_status(fields);
  call.end = std::to_string(status.code) + " " + status.message;
}

// "MESSAGES of BYTES, STATUS TEXT" of each call.
std::vector<std::string> replay(const std::string& wire, size_t calls, size_t piece) {
  const HttpLimits limits;
  Http2Session session(limits, "");
  std::list<Call> all(calls);
  std::string out, request;
  REQUIRE(write_grpc_request_head({.path = "/a.B/C", .authority = "h"}, request));
  for (Call& call : all) REQUIRE(session.submit(call.stream, request));
  REQUIRE(session.produce(out, 1 << 20));
  for (size_t at = 0; at < wire.size(); at += piece) {
    REQUIRE(session.feed(std::string_view(wire).substr(at, piece)));
    for (Call& call : all) take(call);
    session.clear_touched();
    REQUIRE(session.produce(out, 1 << 20));
  }
  std::vector<std::string> found;
  for (const Call& call : all)
    found.push_back(std::to_string(call.messages) + " of " + std::to_string(call.bytes) + ", " + call.end);
  return found;
}

}  // namespace

TEST_CASE("grpc: recorded connections") {
  struct Case {
    const char* name;
    std::vector<std::string> calls;
  };
  const std::vector<Case> cases = {
      {"stream-final-with-last", {"4 of 372, 0 "}},
      {"error-mid-strict", {"3 of 250, 13 simulated failure after 3 tokens"}},
      {"deadline", {"23 of 2135, 4 Deadline Exceeded"}},  // the trailers come four times
      {"unary-errors",
       {"0 of 0, 5 Request for unknown model: 'nosuch' is not found",
        "0 of 0, 3 max_tokens must not be negative",
        "0 of 0, 5 Request for unknown model: 'plain' version 9 is not found",
        "0 of 0, 5 Request for unknown model: 'nosuch' is not found", "1 of 0, 0 "}},
  };
  for (const Case& c : cases) {
    const std::string wire = recorded(c.name);
    REQUIRE(!wire.empty());
    for (size_t piece : {wire.size(), size_t{1}, size_t{3}, size_t{100}}) {
      CAPTURE(c.name);
      CAPTURE(piece);
      CHECK(replay(wire, c.calls.size(), piece) == c.calls);
    }
  }
}

// The request reader in every cut, and the chunk writer.
#include "sim/http.hpp"

#include <doctest/doctest.h>

namespace tokometer::sim {
namespace {

const std::string kTwo =
    "POST /v1/completions?x=1 HTTP/1.1\r\nHost: h\r\nX-Request-Id: a b\r\nContent-Length: 5\r\n\r\nhello"
    "GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

TEST_CASE("two requests, cut at every point") {
  for (size_t cut = 0; cut <= kTwo.size(); ++cut) {
    CAPTURE(cut);
    RequestReader reader;
    std::vector<Request> requests;
    for (const auto& piece : {kTwo.substr(0, cut), kTwo.substr(cut)}) {
      reader.append(piece);
      while (reader.read() == RequestReader::State::complete) requests.push_back(reader.take());
    }
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].method == "POST");
    CHECK(requests[0].target == "/v1/completions");
    CHECK(requests[0].field("x-request-id") == "a b");
    CHECK(requests[0].body == "hello");
    CHECK(requests[0].keep_alive);
    CHECK(requests[1].target == "/health");
    CHECK_FALSE(requests[1].keep_alive);
  }
}

TEST_CASE("a chunked body") {
  RequestReader reader;
  reader.append("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
  REQUIRE(reader.read() == RequestReader::State::complete);
  CHECK(reader.take().body == "hello!");
}

TEST_CASE("100-continue is asked once, before the body") {
  RequestReader reader;
  reader.append("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(reader.read() == RequestReader::State::need_more);
  CHECK(reader.wants_continue());
  CHECK_FALSE(reader.wants_continue());
}

TEST_CASE("what is no HTTP is bad") {
  RequestReader reader;
  reader.append("hello there\r\n\r\n");
  CHECK(reader.read() == RequestReader::State::bad);
}

TEST_CASE("chunks of every size line") {
  ChunkBuffer buffer;
  for (const size_t size : {1u, 15u, 16u, 255u, 256u, 70000u}) {
    buffer.begin();
    buffer.text().append(size, 'x');
    const std::string_view chunk = buffer.end();
    const size_t line = chunk.find("\r\n");
    CHECK(std::stoul(std::string(chunk.substr(0, line)), nullptr, 16) == size);
    CHECK(chunk.size() == line + 2 + size + 2);
    CHECK(chunk.ends_with("x\r\n"));
  }
}

}  // namespace
}  // namespace tokometer::sim

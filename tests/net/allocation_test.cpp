// The path of a token allocates nothing: every malloc of the worker's thread is counted while a stream is
// read from a real socket, in all the cuts that a server and a network may make. Of the whole C library, not
// of operator new alone.
#include <doctest/doctest.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>

#include "http2_peer.hpp"
#include "loopback.hpp"
#include "net/grpc.hpp"
#include "tls_peer.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TOKOMETER_OWN_MALLOC 0  // the sanitizers bring their own
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TOKOMETER_OWN_MALLOC 0
#endif
#endif
#ifndef TOKOMETER_OWN_MALLOC
#define TOKOMETER_OWN_MALLOC 1
#endif

namespace {
thread_local bool counting = false;
thread_local size_t allocations = 0;
thread_local size_t openssl_allocations = 0;  // not in `allocations`

// OpenSSL's own are counted apart.
template <class Allocate>
void* apart(Allocate allocate) {
  const bool was_counting = std::exchange(counting, false);
  openssl_allocations += was_counting ? 1 : 0;
  void* memory = allocate();
  counting = was_counting;
  return memory;
}
const bool set_apart = CRYPTO_set_mem_functions([](size_t size, const char*,
                                                   int) { return apart([&] { return std::malloc(size); }); },
                                                [](void* old, size_t size, const char*, int) {
                                                  return apart([&] { return std::realloc(old, size); });
                                                },
                                                [](void* old, const char*, int) { std::free(old); }) == 1;
}  // namespace

#if TOKOMETER_OWN_MALLOC
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);

void* malloc(size_t size) {
  allocations += counting ? 1 : 0;
  return __libc_malloc(size);
}
void* calloc(size_t n, size_t size) {
  allocations += counting ? 1 : 0;
  return __libc_calloc(n, size);
}
void* realloc(void* old, size_t size) {
  allocations += counting ? 1 : 0;
  return __libc_realloc(old, size);
}
}
#endif

using namespace tokometer;
using namespace tokometer::testing;

namespace {

constexpr size_t kChunkBytes = 4 + 0x31 + 2;
const std::string kEvent = "data: {\"choices\":[{\"delta\":{\"content\":\"tok\"}}]}\n\n";
const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

// Counts and tells the server about each read, so that each piece it sends is a read of its own.
class Counter final : public ExchangeHandler {
 public:
  Counter() : read_fd_(eventfd(0, EFD_SEMAPHORE)) {}
  ~Counter() { ::close(read_fd_); }
  void wait_for_read() const {
    uint64_t one = 0;
    CHECK(::read(read_fd_, &one, sizeof one) == sizeof one);
  }

  void on_connection(const ConnectionInfo&) override {}
  void on_sent(int64_t) override {}
  void on_send_done(int64_t) override {}
  void on_read(const ReadStamp&, size_t) override { ++reads; }
  void on_head(const ResponseHead&) override {}
  void on_body(std::string_view piece) override { bytes += piece.size(); }
  void on_read_done() override {
    const uint64_t one = 1;
    CHECK(::write(read_fd_, &one, sizeof one) == sizeof one);
  }
  void on_end(const EndInfo&) override { ended = true; }
  void on_failure(const Failure&) override { ended = true; }

  size_t bytes = 0;
  size_t reads = 0;
  bool ended = false;

 private:
  int read_fd_;
};

}  // namespace

TEST_CASE("a stream is read without an allocation") {
  std::string wire;
  for (int i = 0; i < 1000; ++i) wire += "31\r\n" + kEvent + "\r\n";
  REQUIRE(wire.size() == 1000 * kChunkBytes);
  size_t piece = 0;
  SUBCASE("a chunk a segment") {
    piece = kChunkBytes;
  }
  SUBCASE("cut at every place of a chunk") {
    piece = kChunkBytes - 1;
  }
  SUBCASE("a byte a segment") {
    piece = 1, wire.resize(100 * kChunkBytes);
  }
  const size_t body_bytes = wire.size() / kChunkBytes * 0x31;

  Counter counter;
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send(kHead);
    counter.wait_for_read();
    for (size_t at = 0; at < wire.size(); at += piece) {
      peer.send(std::string_view(wire).substr(at, piece));
      counter.wait_for_read();
    }
    peer.send("0\r\n\r\n");
  });
  Client client(server.endpoint());
  client.pool.start(counter, kGet);
  REQUIRE(client.run_until([&] { return counter.reads >= 10; }));
  allocations = 0;
  counting = true;
  const bool complete = client.run_until([&] { return counter.bytes == body_bytes; });
  counting = false;
  REQUIRE(complete);
  CHECK(allocations == 0);
  CHECK(counter.reads >= body_bytes / 0x31 * kChunkBytes / piece - 2);  // the last line end may be on its way
  REQUIRE(client.run_until([&] { return counter.ended; }));
}

TEST_CASE("nor is one over HTTP/2, but for the window updates of nghttp2, one in 8 MiB") {
  constexpr size_t kEvents = 1000;
  size_t at_once = 1;
  SUBCASE("a frame a segment") {
    at_once = 1;
  }
  SUBCASE("ten frames a segment") {
    at_once = 10;
  }
  Counter counter;
  Server server([&](Peer& peer, int) {
    Http2Peer http2(peer);
    const uint32_t stream = http2.request();
    http2.send(head(stream));
    counter.wait_for_read();
    for (size_t i = 0; i < kEvents / at_once; ++i) {
      std::string frames;
      for (size_t j = 0; j < at_once; ++j) frames += data(stream, kEvent);
      http2.send(frames);
      counter.wait_for_read();
    }
    http2.send(data(stream, "", kEndStream));
    peer.wait_for_close();
  });
  {
    Client client(http2_options(server.endpoint()));
    const std::string request = http2_request();
    client.pool.start(counter, request);
    REQUIRE(client.run_until([&] { return counter.reads >= 10; }));
    allocations = 0;
    counting = true;
    const bool complete = client.run_until([&] { return counter.bytes == kEvents * kEvent.size(); });
    counting = false;
    REQUIRE(complete);
    CHECK(allocations == 0);
    REQUIRE(client.run_until([&] { return counter.ended; }));
  }
}

TEST_CASE("nor is a gRPC message found with one, unless it is the first that is cut") {
  std::string wire;
  for (int i = 0; i < 100; ++i) append_grpc_message(kEvent, wire);
  const size_t bytes = wire.size();
  wire.append(64, 'x');
  GrpcReader reader;
  allocations = 0;
  for (const size_t piece : {bytes, size_t{10}, size_t{1}, bytes}) {
    size_t messages = 0;
    for (size_t at = 0; at < bytes; at += piece) {
      std::string_view left = std::string_view(wire).substr(at, std::min(piece, bytes - at)), message;
      counting = piece == bytes || messages > 0;
      allocations = counting ? allocations : 0;
      while (reader.read(left, message) == GrpcReader::Progress::message) ++messages;
      counting = false;
      CHECK(allocations == 0);
    }
    CHECK(messages == 100);
  }
}

TEST_CASE("nor is one under TLS, but for OpenSSL's own: at most one a record") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    constexpr size_t kEvents = 1000;
    Counter counter;
    TlsServer server(
        [&](TlsPeer& peer, int) {
          peer.request();
          peer.send(kHead);
          counter.wait_for_read();
          for (size_t i = 0; i < kEvents; ++i) {
            peer.send("31\r\n" + kEvent + "\r\n");
            counter.wait_for_read();
          }
          peer.send("0\r\n\r\n");
        },
        {.version = version});
    Client client(server.pool());
    client.pool.start(counter, kGet);
    REQUIRE(client.run_until([&] { return counter.reads >= 10; }));
    allocations = openssl_allocations = 0;
    counting = true;
    const bool complete = client.run_until([&] { return counter.bytes == kEvents * 0x31; });
    counting = false;
    REQUIRE(complete);
    CHECK(allocations == 0);
    CHECK(set_apart);
    CHECK(openssl_allocations <= kEvents);
    CHECK(counter.reads == kEvents + 1);
    REQUIRE(client.run_until([&] { return counter.ended; }));
  }
}

TEST_CASE("nor does a request on a connection kept alive") {
  Counter counter;
  Server server([&](Peer& peer, int) {
    while (!peer.request().empty()) peer.send(kHead + "31\r\n" + kEvent + "\r\n0\r\n\r\n");
  });
  Client client(server.endpoint());
  allocations = 0;
  for (int i = 0; i < 100; ++i) {
    counting = i >= 10;
    counter.ended = false;
    client.pool.start(counter, kGet);
    const bool over = client.run_until([&] { return counter.ended; });
    counting = false;
    REQUIRE(over);
  }
  CHECK(counter.bytes == 100 * 0x31);
  CHECK(client.pool.counters().opened == 1);
  CHECK(allocations == 0);
}

#if TOKOMETER_OWN_MALLOC
TEST_CASE("the counter counts") {
  counting = true;
  allocations = 0;
  std::string* text = new std::string(100, 'x');
  counting = false;
  CHECK(text->size() == 100);
  delete text;
  CHECK(allocations == 2);
}
#endif

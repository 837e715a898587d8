#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "base/clock.hpp"
#include "loopback.hpp"
#include "net/socket.hpp"

using namespace tokometer;
using namespace tokometer::testing;

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kWall = 1'700'000'000 * kSecond;  // wall clock minus monotonic, at first

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

// The first user of stamps on a host finds them switched on a little later.
void wait_for_kernel_stamps() {
  Server server([](Peer& peer, int) {
    while (!peer.request().empty()) peer.send("HTTP/1.1 204 OK\r\n\r\n");
  });
  Client client(server.endpoint());
  Recorder handler;
  handler.at_end = [&] {
    if (!handler.stamps.back().kernel) client.pool.start(handler, kGet);
  };
  client.pool.start(handler, kGet);
  REQUIRE(client.run_until([&] { return !handler.stamps.empty() && handler.stamps.back().kernel; }));
}

}  // namespace

TEST_CASE("kernel stamps on the monotonic axis") {
  int64_t offset = kWall;
  int samples = 0;
  StampConverter converter([&] {
    ++samples;
    return offset;
  });
  const int64_t now = 100 * kSecond;
  const auto convert = [&](int64_t at_ns, int64_t user_ns) {
    return converter.to_monotonic(at_ns + offset, user_ns - 50'000, user_ns);
  };
  CHECK(convert(now - 3'000, now) == now - 3'000);
  CHECK(samples == 1);

  SUBCASE("sampled again at most each second") {
    convert(now + kSecond - 10, now + kSecond - 1);
    CHECK(samples == 1);
    convert(now + kSecond, now + kSecond + 1);
    convert(now + kSecond, now + kSecond + 2);
    CHECK(samples == 2);
    CHECK(converter.clock_steps() == 0);
  }
  SUBCASE("never after the user's stamp: the sample is some 50 ns off") {
    CHECK(convert(now + 80, now) == now);
  }
  SUBCASE("a small change of the offset is followed") {
    offset += 9'000;
    CHECK(convert(now + kSecond, now + kSecond + 20'000) == now + kSecond);
    CHECK(converter.clock_steps() == 0);
  }
  SUBCASE("a small step is found by the next sample") {
    offset += 11'000;
    CHECK(convert(now + kSecond, now + kSecond + 20'000) == kNoInstant);
    CHECK(converter.clock_steps() == 1);
  }
  SUBCASE("bytes may have waited in the network stack for long") {
    CHECK(converter.to_monotonic(now - kSecond / 2 + offset, now - 50'000, now) == now - kSecond / 2);
    CHECK(converter.clock_steps() == 0);
  }
}

TEST_CASE("a step of the wall clock is found at the next read, not at the next sample") {
  for (const int64_t step : {3600 * kSecond, -3600 * kSecond, int64_t{11'000'000}, int64_t{-11'000'000}}) {
    CAPTURE(step);
    int64_t offset = kWall;
    StampConverter converter([&] { return offset; });
    const auto convert = [&](int64_t at_ns) {
      return converter.to_monotonic(at_ns + offset, at_ns - 50'000, at_ns + 1000);
    };
    const int64_t now = 100 * kSecond;
    CHECK(convert(now) == now);
    offset += step;
    CHECK(convert(now + 5000) == kNoInstant);
    CHECK(converter.clock_steps() == 1);
    CHECK(convert(now + kSecond / 2) == kNoInstant);
    CHECK(convert(now + 2 * kSecond) == now + 2 * kSecond);
    CHECK(converter.clock_steps() == 1);
  }
}

TEST_CASE("stamps of a loopback stream: from the kernel, in order, between the server's own") {
  SteadyClock clock;
  const Receiver keeps_stamping_on(clock);
  wait_for_kernel_stamps();
  int64_t before_ns[3] = {};
  int64_t after_ns[3] = {};
  Signal go[3];
  Signal sent[3];
  Server server([&](Peer& peer, int) {
    peer.request();
    for (int i = 0; i < 3; ++i) {
      go[i].wait();
      before_ns[i] = clock.now_ns();
      peer.send(i == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : "x");
      after_ns[i] = clock.now_ns();
      sent[i].set();
    }
    peer.wait_for_close();
  });
  Client client(server.endpoint());
  Recorder handler;
  client.pool.start(handler, kGet);
  go[0].set();
  REQUIRE(client.run_until([&] { return handler.stamps.size() == 1; }));
  // The next two pieces come while the client is not looking: one read with the stamp of the last.
  go[1].set();
  REQUIRE(sent[1].wait());
  go[2].set();
  REQUIRE(sent[2].wait());
  REQUIRE(client.run_until([&] { return handler.over(); }));
  REQUIRE(handler.stamps.size() == 2);
  CHECK(handler.ended);

  const int64_t slack_ns = 50'000;  // of the clocks' offset, sampled on a busy machine
  const ReadStamp& head = handler.stamps[0];
  const ReadStamp& rest = handler.stamps[1];
  CHECK(head.kernel);
  CHECK(rest.kernel);
  CHECK(head.at_ns <= head.user_ns);
  CHECK(rest.at_ns <= rest.user_ns);
  CHECK(head.at_ns >= before_ns[0] - slack_ns);
  CHECK(rest.at_ns >= before_ns[2] - slack_ns);
  CHECK(rest.at_ns <= after_ns[2] + slack_ns);
  CHECK(head.empty_before_ns >= handler.sent_ns);
  CHECK(head.empty_before_ns <= head.user_ns);
  // The first of the two was in the socket unread: the ambiguity reaches back before it.
  CHECK(rest.empty_before_ns <= after_ns[1]);
  CHECK(rest.empty_before_ns >= handler.sent_ns);
  CHECK(rest.ambiguity_ns() >= rest.at_ns - after_ns[1]);
  CHECK(client.poller.receiver().counters().reads == 2);
  CHECK(client.poller.receiver().counters().user_stamps == 0);
  CHECK(client.poller.receiver().clock_steps() == 0);
}

TEST_CASE("one read may hold many pieces, and is told as one") {
  std::string chunks;
  for (int i = 0; i < 50; ++i) chunks += "3\r\nabc\r\n";
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n");
    peer.wait_for_close();
  });
  Client client(server.endpoint());
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.stamps.size() == 1);
  CHECK(handler.reads_done == 1);
  CHECK(handler.pieces == 50);
  CHECK(handler.read_bytes == 47 + chunks.size() + 5);
  client.pool.close_idle();
}

TEST_CASE("a body larger than the shared buffer") {
  const std::string body(1'000'000, 'b');
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    peer.wait_for_close();
  });
  Client client(server.endpoint());
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.body == body);
  CHECK(client.poller.receiver().counters().bytes == handler.read_bytes);
  client.pool.close_idle();
}

TEST_CASE("classes of connect errors") {
  CHECK(connect_failure_class(EMFILE) == "client.fd");
  CHECK(connect_failure_class(ENFILE) == "client.fd");
  CHECK(connect_failure_class(EADDRNOTAVAIL) == "client.port");
  CHECK(connect_failure_class(ECONNREFUSED) == "connect");
  CHECK(connect_failure_class(EHOSTUNREACH) == "connect");
  CHECK(connect_failure_class(ECONNRESET) == "closed");
  CHECK(error_text(EHOSTUNREACH) == "No route to host (EHOSTUNREACH)");
  CHECK(error_text(99'999) == "errno 99999");
}

// Reads by io_uring, over real TCP connections. Where the kernel forbids it there is nothing to test, and it
// is said.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "net/poller.hpp"

using namespace tokometer;

namespace {

// Both ends of a TCP connection over loopback.
struct Pair {
  explicit Pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    char host[] = "127.0.0.1";
    Endpoint endpoint;
    std::copy_n(reinterpret_cast<char*>(&address), size, reinterpret_cast<char*>(&endpoint.address));
    endpoint.length = size;
    endpoint.text = host;
    const int error = ours.start_connect(endpoint);
    REQUIRE((error == 0 || error == EINPROGRESS));
    theirs = ::accept(listener, nullptr, nullptr);
    REQUIRE(theirs >= 0);
    ::close(listener);
  }
  ~Pair() { close_theirs(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  void say(std::string_view bytes) const {
    REQUIRE(::send(theirs, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  void close_theirs() {
    if (theirs >= 0) ::close(std::exchange(theirs, -1));
  }
  void reset_theirs() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(theirs, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close_theirs();
  }

  Socket ours;
  int theirs = -1;
};

class Bench {
 public:
  Bench() : poller(io_, clock) {
    REQUIRE(poller.leave_context() == 0);
    const auto used = poller.use_ring();
    works = used.ok();
    if (!works) MESSAGE("not tested: " << used.error().message);
  }
  template <class Condition>
  bool turn_until(Condition condition) {
    const int64_t deadline_ns = clock.now_ns() + 20'000'000'000;
    while (!condition() && clock.now_ns() < deadline_ns) poller.wait(clock.now_ns() + 100'000'000);
    return condition();
  }

  SteadyClock clock;

 private:
  boost::asio::io_context io_{1};

 public:
  Poller poller;
  bool works = false;
};

class Reader final : public Pollable {
 public:
  Reader(Bench& bench, const Socket& socket) : poller_(bench.poller), fd_(socket.fd()) {
    REQUIRE(poller_.add_reader(fd_, *this) == 0);
  }
  ~Reader() { remove(); }
  void remove() {
    if (fd_ >= 0) poller_.remove(std::exchange(fd_, -1), *this);
  }
  void on_ready(uint32_t events) override {
    seen |= events;
    ++calls;
    if (then) return then();
    read();
  }
  void read() {
    const ReceiveResult result = poller_.receive(fd_, known_empty_ns);
    last = result.kind;
    error = result.error;
    if (result.kind != ReceiveResult::Kind::bytes) return;
    stamps.push_back(result.stamp);
    text += result.bytes;
    spare = result.bytes.data()[result.bytes.size() + Receiver::kSpareBytes - 1];  // a parser may look there
  }

  std::string text;
  volatile char spare = 0;
  std::vector<ReadStamp> stamps;
  ReceiveResult::Kind last = ReceiveResult::Kind::nothing;
  int error = 0, calls = 0;
  uint32_t seen = 0;
  int64_t known_empty_ns = kNoInstant;
  std::function<void()> then;

 private:
  Poller& poller_;
  int fd_;
};

using Kind = ReceiveResult::Kind;

}  // namespace

TEST_CASE("bytes come with the kernel's stamp, one read after the other") {
  Bench bench;
  if (!bench.works) return;
  Pair pair;
  Reader reader(bench, pair.ours);
  for (int i = 0; i < 50; ++i) {
    const int64_t before_ns = bench.clock.now_ns();
    pair.say("token" + std::to_string(i));
    const size_t reads = reader.stamps.size();
    REQUIRE(bench.turn_until([&] { return reader.stamps.size() > reads; }));
    const ReadStamp& stamp = reader.stamps.back();
    CHECK(stamp.at_ns <= stamp.user_ns);
    CHECK(stamp.empty_before_ns <= stamp.at_ns);
    CHECK(reader.known_empty_ns >= stamp.at_ns);  // the read came after what it brought
    if (stamp.kernel) CHECK(stamp.at_ns >= before_ns - 100'000);
  }
  CHECK(std::count_if(reader.stamps.begin(), reader.stamps.end(),
                      [](const ReadStamp& s) { return s.kernel; }) > 25);
  CHECK(reader.text.starts_with("token0token1"));
  CHECK(bench.poller.receiver().counters().reads == 50);
}

TEST_CASE("what is longer than a buffer comes in pieces, in order, then the end") {
  Bench bench;
  if (!bench.works) return;
  Pair pair;
  std::string sent;
  for (int i = 0; sent.size() < 100'000; ++i) sent += std::to_string(i) + ' ';
  pair.say(sent);
  pair.close_theirs();
  Reader reader(bench, pair.ours);  // added when all is there
  REQUIRE(bench.turn_until([&] { return reader.last == Kind::eof; }));
  CHECK(reader.text == sent);
  CHECK(reader.stamps.size() > 20);
}

TEST_CASE("a reset is an error with its number") {
  Bench bench;
  if (!bench.works) return;
  Pair pair;
  Reader reader(bench, pair.ours);
  pair.reset_theirs();
  REQUIRE(bench.turn_until([&] { return reader.last == Kind::error; }));
  CHECK(reader.error == ECONNRESET);
}

TEST_CASE("more sockets than buffers: nothing is lost, and a turn is bounded") {
  Bench bench;
  if (!bench.works) return;
  std::list<Pair> pairs(400);
  std::list<Reader> readers;
  const std::string block(16'000, 'x');
  for (const Pair& pair : pairs) readers.emplace_back(bench, pair.ours);
  for (const Pair& pair : pairs) pair.say(block);
  CHECK(bench.poller.wait(bench.clock.now_ns() + 1'000'000'000) <= Poller::kEventsPerTurn);
  CHECK(bench.turn_until([&] {
    return std::all_of(readers.begin(), readers.end(), [&](const Reader& r) { return r.text == block; });
  }));
}

TEST_CASE("what was fetched for a socket does not reach its successor, nor who was removed") {
  Bench bench;
  if (!bench.works) return;
  auto first = std::make_unique<Pair>();
  auto second = std::make_unique<Pair>();
  auto a = std::make_unique<Reader>(bench, first->ours);
  auto b = std::make_unique<Reader>(bench, second->ours);
  first->say("stale");
  second->say("stale");
  std::unique_ptr<Pair> third;
  std::unique_ptr<Reader> c;
  // Whoever comes first ends both, and a new connection gets one of their numbers.
  const auto replace = [&] {
    const int old = second->ours.fd();
    a->remove();
    b->remove();
    first->ours.close();
    second->ours.close();
    third = std::make_unique<Pair>();
    CHECK(third->ours.fd() <= old);
    c = std::make_unique<Reader>(bench, third->ours);
  };
  a->then = b->then = replace;
  REQUIRE(bench.turn_until([&] { return c != nullptr; }));
  third->say("fresh");
  REQUIRE(bench.turn_until([&] { return !c->text.empty(); }));
  CHECK(c->text == "fresh");
  CHECK(a->calls + b->calls == 1);
}

TEST_CASE("who asks out of turn gets what was fetched, then what is in the socket, then nothing") {
  Bench bench;
  if (!bench.works) return;
  Pair first, second;
  Reader a(bench, first.ours), b(bench, second.ours);
  first.say("one");
  second.say("two");
  const auto both = [&] {
    if (!a.text.empty()) return;
    a.read();
    b.read();
    b.read();
  };
  a.then = b.then = both;
  REQUIRE(bench.turn_until([&] { return a.text == "one" && b.text == "two"; }));
  CHECK(b.last == Kind::nothing);
  a.then = b.then = nullptr;
  second.say("three");
  REQUIRE(bench.turn_until([&] { return b.text == "twothree"; }));
  CHECK(a.text == "one");
}

TEST_CASE("a full socket is told when it takes bytes again") {
  Bench bench;
  if (!bench.works) return;
  Pair pair;
  Reader reader(bench, pair.ours);
  const std::string block(1 << 20, 'x');
  size_t accepted = 0, sent = 0;
  while (pair.ours.send(block, accepted) == 0) sent += accepted;
  reader.then = [] {};
  bench.poller.watch_writable(pair.ours.fd(), reader, true);
  bench.poller.wait(bench.clock.now_ns() + 1'000'000);
  CHECK((reader.seen & EPOLLOUT) == 0);
  std::vector<char> sink(1 << 20);
  for (size_t got = 0; got < sent;)
    got += static_cast<size_t>(std::max<ssize_t>(0, ::recv(pair.theirs, sink.data(), sink.size(), 0)));
  REQUIRE(bench.turn_until([&] { return (reader.seen & EPOLLOUT) != 0; }));
  bench.poller.watch_writable(pair.ours.fd(), reader, false);
  reader.seen = 0;
  bench.poller.wait(bench.clock.now_ns() + 1'000'000);
  CHECK(reader.seen == 0);
}

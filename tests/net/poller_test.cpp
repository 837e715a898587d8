#include <doctest/doctest.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "net/poller.hpp"

using namespace tokometer;

namespace {

// Readable from the start, and for ever.
class Ready final : public Pollable {
 public:
  explicit Ready(Poller& poller, unsigned value = 1) : poller_(poller), fd_(eventfd(value, EFD_NONBLOCK)) {
    poller_.add(fd_, *this, EPOLLIN);
  }
  ~Ready() {
    remove();
    ::close(fd_);
  }
  void remove() { poller_.remove(fd_, *this); }
  void make_readable() {
    const uint64_t one = 1;
    CHECK(::write(fd_, &one, sizeof one) == sizeof one);
  }
  void on_ready(uint32_t events) override {
    ++calls;
    last_events = events;
    if (then) then();
  }

  int calls = 0;
  uint32_t last_events = 0;
  std::function<void()> then;

 private:
  Poller& poller_;
  int fd_;
};

}  // namespace

TEST_CASE("the io_context serves the set, level by level") {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  Ready ready(poller);
  for (int i = 1; i <= 3; ++i) {
    while (ready.calls < i) io.run_one();
  }
  CHECK((ready.last_events & EPOLLIN) != 0);
}

TEST_CASE("a turn is bounded, and the rest comes next") {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  std::list<Ready> many;
  for (int i = 0; i < 300; ++i) {
    Ready& ready = many.emplace_back(poller);
    ready.then = [&ready] { ready.remove(); };
  }
  CHECK(poller.turn() == Poller::kEventsPerTurn);
  CHECK(poller.turn() == 300 - Poller::kEventsPerTurn);
  CHECK(std::all_of(many.begin(), many.end(), [](const Ready& ready) { return ready.calls == 1; }));
  CHECK(poller.turn() == 0);
}

TEST_CASE("an event that was fetched does not reach what was removed meanwhile") {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  auto a = std::make_unique<Ready>(poller);
  auto b = std::make_unique<Ready>(poller);
  int calls = 0;
  a->then = [&] { ++calls, b.reset(); };
  b->then = [&] { ++calls, a.reset(); };
  poller.turn();
  CHECK(calls == 1);
}

TEST_CASE("wakes are served on the next turn, unless removed") {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  Ready a(poller, 0);
  Ready b(poller, 0);
  poller.wake(a);
  poller.wake(b);
  b.remove();
  SUBCASE("by a turn") {
    CHECK(poller.turn() == 1);
  }
  SUBCASE("by the io_context") {
    io.run_one();
  }
  CHECK(a.calls == 1);
  CHECK(a.last_events == 0);
  CHECK(b.calls == 0);
  CHECK(poller.turn() == 0);
}

TEST_CASE("a wake inside a turn comes with the next one") {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  Ready ready(poller, 0);
  ready.then = [&] {
    if (ready.calls < 3) poller.wake(ready);
  };
  poller.wake(ready);
  poller.turn();
  CHECK(ready.calls == 1);
  while (ready.calls < 3) io.run_one();
  while (io.poll_one() > 0) {
  }
  CHECK(ready.calls == 3);
}

TEST_CASE("since when a socket was not reported") {
  SimulatedClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  CHECK(poller.unreported_since_ns(0) == kNoInstant);
  clock.set(1000);
  poller.turn();                                       // poll 1
  CHECK(poller.unreported_since_ns(0) == kNoInstant);  // the current one proves nothing about earlier
  clock.set(2000);
  poller.turn();  // poll 2
  CHECK(poller.unreported_since_ns(0) == 1000);
  CHECK(poller.unreported_since_ns(1) == kNoInstant);  // poll 1 did report it
  CHECK(poller.current_poll() == 2);

  SUBCASE("a poll that was cut by the event limit does not count") {
    std::list<Ready> many;
    for (size_t i = 0; i < Poller::kEventsPerTurn; ++i) many.emplace_back(poller);
    clock.set(3000);
    poller.turn();  // poll 3, cut
    clock.set(4000);
    poller.turn();  // poll 4, cut
    CHECK(poller.unreported_since_ns(0) == 2000);
    many.clear();
    clock.set(5000);
    poller.turn();
    CHECK(poller.unreported_since_ns(0) == 2000);
    clock.set(6000);
    poller.turn();
    CHECK(poller.unreported_since_ns(0) == 5000);
  }
}

TEST_CASE("a poll that waited ended, for the sockets it did not report, at the stamp of its first read") {
  SimulatedClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  REQUIRE(poller.leave_context() == 0);
  Ready ready(poller);
  clock.set(1000);
  poller.wait(5000);  // something is ready: it ends at once
  poller.on_stamp(3000);
  poller.on_stamp(3500);  // of another socket: later
  poller.wait(0);
  CHECK(poller.unreported_since_ns(0) == 3000);
  poller.on_stamp(9000);  // a poll that did not wait began when it began
  poller.wait(0);
  CHECK(poller.unreported_since_ns(0) == 1000);
}

TEST_CASE("a wait ends by a socket, by a wake, by another thread, and in time") {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  REQUIRE(poller.leave_context() == 0);
  constexpr int64_t kLongNs = 600'000'000'000;
  Ready ready(poller, 0);
  ready.make_readable();
  CHECK(poller.wait(clock.now_ns() + kLongNs) == 1);
  ready.remove();
  poller.wake(ready);
  CHECK(poller.wait(clock.now_ns() + kLongNs) == 1);
  CHECK(poller.wait(clock.now_ns() + 1'000'000) == 0);
  poller.interrupt();
  poller.wait(clock.now_ns() + kLongNs);
  std::thread other([&] { poller.interrupt(); });
  poller.wait(clock.now_ns() + kLongNs);
  other.join();
  CHECK(ready.calls == 2);
}

TEST_CASE("a poller may die before the handlers that wait in the io_context") {
  SteadyClock clock;
  boost::asio::io_context io(1);
  std::optional<Poller> poller(std::in_place, io, clock);
  Ready* ready = new Ready(*poller);
  poller->wake(*ready);
  ready->remove();
  delete ready;
  poller.reset();
  CHECK(io.run() <= 2);
}

#include "engine/timer_wheel.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <vector>

namespace tokometer {
namespace {

constexpr int64_t kTick = TimerWheel::kTickNs;

class Timer final : public TimerWheel::Entry {
 public:
  int64_t deadline = TimerWheel::kNever;
  int64_t fired_at = -1;

 private:
  int64_t deadline_ns() const override { return deadline; }
  void on_deadline(int64_t now_ns) override { fired_at = now_ns; }
};

void advance_to(TimerWheel& wheel, int64_t from_ns, int64_t to_ns) {
  for (int64_t now = from_ns; now <= to_ns; now += kTick) wheel.advance(now);
}

}  // namespace

TEST_CASE("a deadline fires once, at most two ticks late") {
  TimerWheel wheel(0);
  Timer timer;
  for (const int64_t deadline : {int64_t{1}, kTick, 10 * kTick + 1, 1500 * kTick, 5000 * kTick}) {
    CAPTURE(deadline);
    TimerWheel fresh(0);
    timer.deadline = deadline;
    timer.fired_at = -1;
    fresh.arm(timer);
    advance_to(fresh, kTick, deadline + 4 * kTick);
    CHECK(timer.fired_at >= deadline);
    CHECK(timer.fired_at <= deadline + 2 * kTick);
  }
}

TEST_CASE("a deadline that moves later does not touch the wheel and fires at its new time") {
  TimerWheel wheel(0);
  Timer timer;
  timer.deadline = 5 * kTick;
  wheel.arm(timer);
  timer.deadline = 50 * kTick;
  advance_to(wheel, kTick, 40 * kTick);
  CHECK(timer.fired_at == -1);
  advance_to(wheel, 41 * kTick, 60 * kTick);
  CHECK(timer.fired_at >= 50 * kTick);
}

TEST_CASE("arming again for an earlier deadline brings it forward") {
  TimerWheel wheel(0);
  Timer timer;
  timer.deadline = 500 * kTick;
  wheel.arm(timer);
  timer.deadline = 5 * kTick;
  wheel.arm(timer);
  advance_to(wheel, kTick, 8 * kTick);
  CHECK(timer.fired_at > 0);
}

TEST_CASE("a disarmed entry never fires") {
  TimerWheel wheel(0);
  Timer timer;
  timer.deadline = 5 * kTick;
  wheel.arm(timer);
  wheel.disarm(timer);
  wheel.disarm(timer);
  advance_to(wheel, kTick, 2000 * kTick);
  CHECK(timer.fired_at == -1);
}

TEST_CASE("many random deadlines all fire in time, also when the clock jumps") {
  std::mt19937_64 random(7);
  TimerWheel wheel(0);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 2000; ++i) {
    timers.push_back(std::make_unique<Timer>());
    timers.back()->deadline = static_cast<int64_t>(random() % static_cast<uint64_t>(3000 * kTick));
    wheel.arm(*timers.back());
  }
  for (int64_t now = 0; now < 3100 * kTick;
       now += static_cast<int64_t>(random() % static_cast<uint64_t>(9 * kTick))) {
    wheel.advance(now);
  }
  wheel.advance(3200 * kTick);
  for (const auto& timer : timers) {
    REQUIRE(timer->fired_at >= timer->deadline);
    if (timer->fired_at < 3100 * kTick) CHECK(timer->fired_at <= timer->deadline + 11 * kTick);
  }
}

}  // namespace tokometer

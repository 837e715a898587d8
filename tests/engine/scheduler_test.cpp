#include "engine/scheduler.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/fake_plugins.hpp"

namespace tokometer {
namespace {

using test::fake_pattern;

constexpr int64_t kFar = INT64_MAX;

// Releases at 0, step, 2 step, ... whatever completes.
test::PatternStep every(int64_t step_ns) {
  return [step_ns, at = -step_ns](const tkm_load_state&, tkm_load_step& step) mutable {
    step.action = TKM_LOAD_RELEASE;
    step.at_ns = at += step_ns;
  };
}

// Keeps `users` entries active: the next one starts where an entry ended.
test::PatternStep users(uint32_t count) {
  return [count](const tkm_load_state& state, tkm_load_step& step) {
    step.users = count;
    const bool wanted = state.active < count;
    step.action = wanted ? TKM_LOAD_RELEASE : TKM_LOAD_WAIT;
    step.at_ns = wanted ? state.now_ns : kFar;
  };
}

std::vector<int64_t> take_all(PhaseScheduler& scheduler, int64_t now_ns, int64_t horizon_ns) {
  std::vector<int64_t> times;
  while (const auto at_ns = scheduler.take_due(now_ns, horizon_ns)) times.push_back(*at_ns);
  return times;
}

}  // namespace

TEST_CASE("an open loop is asked up to the horizon and no further") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 100});
  CHECK(take_all(scheduler, 0, 25) == std::vector<int64_t>{0, 10, 20});
  CHECK(scheduler.next_time_ns() == 30);
  CHECK(take_all(scheduler, 5, 25).empty());
  CHECK(take_all(scheduler, 20, 45) == std::vector<int64_t>{30, 40});
}

// A driver that takes only so many in one turn must come back at once, not when the phase ends.
TEST_CASE("an open loop that was not asked to the horizon has something to do again at once") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000});
  for (const int64_t at_ns : {0, 10, 20}) CHECK(scheduler.take_due(100, 150) == at_ns);
  CHECK(scheduler.next_time_ns() <= 30);
  CHECK(take_all(scheduler, 100, 150).size() == 13);  // 30 to 150
  CHECK(scheduler.next_time_ns() == 160);
}

TEST_CASE("before its phase begins an open loop already tells when its first release is") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 100});
  CHECK(take_all(scheduler, -50, -30).empty());
  CHECK(scheduler.next_time_ns() == 0);
}

TEST_CASE("a phase ends with its window, and releases at its end are outside") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 30});
  CHECK(take_all(scheduler, 0, 1000) == std::vector<int64_t>{0, 10, 20});
  CHECK_FALSE(scheduler.load_ended());
  CHECK(take_all(scheduler, 30, 1000).empty());
  CHECK(scheduler.load_ended());
}

TEST_CASE("a scheduler that sleeps over the end of the window still releases all that was planned in it") {
  for (const int64_t cooldown_ns : {0, 1000}) {
    CAPTURE(cooldown_ns);
    Pattern pattern = fake_pattern(every(10));
    PhaseScheduler scheduler(pattern, {.duration_ns = 50, .cooldown_ns = cooldown_ns});
    CHECK(take_all(scheduler, 0, 5) == std::vector<int64_t>{0});
    scheduler.entry_ended(0, 5, true);
    CHECK(take_all(scheduler, 70, 75).size() >= 4);  // 10 to 40, and what the cool-down may add
    CHECK(scheduler.released() >= 5);
  }
}

TEST_CASE("the load goes on through the cool-down until the window's requests have ended") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 20, .cooldown_ns = 100});
  CHECK(take_all(scheduler, 0, 15) == std::vector<int64_t>{0, 10});
  CHECK(take_all(scheduler, 25, 35) == std::vector<int64_t>{20, 30});  // cooling down: 0 and 10 still run
  scheduler.entry_ended(0, 40, true);
  CHECK(take_all(scheduler, 40, 45) == std::vector<int64_t>{40});
  scheduler.entry_ended(10, 50, true);
  CHECK(take_all(scheduler, 50, 95).empty());
  CHECK(scheduler.load_ended());
}

TEST_CASE("the load goes on while the requests of another workload's window have not ended") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 20, .cooldown_ns = 100});
  CHECK(take_all(scheduler, 0, 15) == std::vector<int64_t>{0, 10});
  CHECK(scheduler.has_open_window());
  scheduler.entry_ended(0, 15, true);
  scheduler.entry_ended(10, 15, true);
  CHECK_FALSE(scheduler.has_open_window());
  scheduler.others_measure(true);
  CHECK(take_all(scheduler, 25, 35) == std::vector<int64_t>{20, 30});
  CHECK_FALSE(scheduler.load_ended());
  scheduler.others_measure(false);
  CHECK_FALSE(scheduler.take_due(40, 40));
  CHECK(scheduler.load_ended());
}

TEST_CASE("the cool-down has a limit") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 20, .cooldown_ns = 30});
  CHECK(take_all(scheduler, 0, 1000).size() == 5);  // 0 to 40
  take_all(scheduler, 49, 1000);
  CHECK_FALSE(scheduler.load_ended());
  take_all(scheduler, 50, 1000);
  CHECK(scheduler.load_ended());
}

TEST_CASE("a cool-down may have so many requests") {
  for (const uint64_t count : {uint64_t{1}, uint64_t{3}}) {
    CAPTURE(count);
    Pattern pattern = fake_pattern(every(10));
    PhaseScheduler scheduler(pattern, {.duration_ns = 20, .cooldown_ns = 1000, .cooldown_requests = count});
    CHECK(take_all(scheduler, 0, 1000).size() == 2 + count);  // 0, 10 and those of the cool-down
    CHECK_FALSE(scheduler.load_ended());                      // taken ahead of their time
    CHECK(scheduler.next_time_ns() == 20);
    CHECK(take_all(scheduler, 20, 1000).empty());
    CHECK(scheduler.load_ended());
  }
  Pattern pattern = fake_pattern(every(10));  // its requests end before
  PhaseScheduler scheduler(pattern, {.duration_ns = 20, .cooldown_ns = 1000, .cooldown_requests = 100});
  CHECK(take_all(scheduler, 15, 15).size() == 2);
  scheduler.entry_ended(0, 16, true);
  scheduler.entry_ended(10, 17, true);
  CHECK(take_all(scheduler, 20, 20).empty());
  CHECK(scheduler.load_ended());
}

TEST_CASE("a count ends the load when the last release is taken") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.requests = 3});
  CHECK(take_all(scheduler, 0, 1000) == std::vector<int64_t>{0, 10, 20});
  CHECK(scheduler.load_ended());
  CHECK(scheduler.released() == 3);
}

TEST_CASE("a closed loop releases at the end of the entry that freed the slot") {
  Pattern pattern = fake_pattern(users(2));
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000, .open_loop = false});
  CHECK(take_all(scheduler, 3, 3) ==
        std::vector<int64_t>{0, 0});  // its own time begins at 0, however late we ask
  CHECK(scheduler.users() == 2);
  scheduler.entry_ended(0, 400, true);
  scheduler.entry_ended(0, 350, false);  // batches may report an earlier end later
  CHECK(take_all(scheduler, 410, 410) == std::vector<int64_t>{350, 400});
  CHECK(scheduler.active() == 2);
}

TEST_CASE("a wait of a closed loop ends at its own time") {
  Pattern pattern = fake_pattern([asked = 0](const tkm_load_state& state, tkm_load_step& step) mutable {
    step.users = 1;
    const bool first = asked++ == 0;
    step.action = first || state.active > 0 ? TKM_LOAD_WAIT : TKM_LOAD_RELEASE;
    step.at_ns = first ? 50 : state.active > 0 ? kFar : state.now_ns;
  });
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000, .open_loop = false});
  CHECK(take_all(scheduler, 0, 0).empty());
  CHECK(scheduler.next_time_ns() == 50);
  CHECK(take_all(scheduler, 57, 57) == std::vector<int64_t>{50});  // planned for 50, though we came at 57
}

TEST_CASE("what breaks the contract of a pattern ends the load with a sentence") {
  const auto fault_of = [](test::PatternStep step, bool open_loop) {
    Pattern pattern = fake_pattern(std::move(step));
    PhaseScheduler scheduler(pattern, {.duration_ns = 1000, .open_loop = open_loop});
    take_all(scheduler, 0, 500);
    scheduler.entry_ended(0, 100, true);
    CHECK(scheduler.load_ended() == !scheduler.fault().empty());
    return scheduler.fault();
  };
  SUBCASE("an open loop that goes back") {
    CHECK(fault_of(
              [at = 30](const tkm_load_state&, tkm_load_step& step) mutable {
                step.action = TKM_LOAD_RELEASE;
                step.at_ns = at -= 10;
              },
              true) == "the load pattern went back in time (10 ns after 20 ns); an open loop never does");
  }
  SUBCASE("a release before the phase begins") {
    CHECK(fault_of(
              [](const tkm_load_state&, tkm_load_step& step) {
                step.action = TKM_LOAD_RELEASE;
                step.at_ns = -1;
              },
              true) == "the load pattern released at -1 ns; times count from the phase start");
  }
  SUBCASE("waiting for ever with nothing active") {
    Pattern pattern = fake_pattern([](const tkm_load_state&, tkm_load_step& step) {
      step.action = TKM_LOAD_WAIT;
      step.at_ns = kFar;
    });
    PhaseScheduler scheduler(pattern, {.duration_ns = 1000, .open_loop = false});
    take_all(scheduler, 0, 0);
    CHECK(scheduler.fault() == "load pattern deadlock: it waits for ever and nothing is active");
  }
  SUBCASE("a closed loop that releases in the past") {
    CHECK(fault_of(
              [asked = 0](const tkm_load_state& state, tkm_load_step& step) mutable {
                step.action = asked++ % 2 == 0 ? TKM_LOAD_RELEASE : TKM_LOAD_WAIT;
                step.at_ns = step.action == TKM_LOAD_WAIT ? kFar : state.now_ns > 0 ? state.now_ns - 1 : 0;
              },
              false) == "the load pattern released at 99 ns, before now (100 ns); a closed loop never does");
  }
}

TEST_CASE("stop gives back what was committed to and not taken") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000});
  take_all(scheduler, 0, 25);
  CHECK(scheduler.stop() == std::vector<int64_t>{30});
  CHECK(scheduler.load_ended());
  CHECK(take_all(scheduler, 50, 100).empty());
}

TEST_CASE("the end of the data ends the load: what has no sample is no request") {
  Pattern pattern = fake_pattern(users(3));
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000, .open_loop = false});
  CHECK(take_all(scheduler, 0, 0).size() == 3);
  scheduler.entry_ended(0, 10, true);
  scheduler.entry_ended(0, 10, true);
  REQUIRE(scheduler.take_due(10, 10) == 10);  // one of two that are due: the data have ended
  scheduler.data_ended(10);
  CHECK(scheduler.released() == 3);
  CHECK(scheduler.active() == 1);
  CHECK_FALSE(scheduler.take_due(11, 100));
  CHECK(scheduler.load_ended());
  scheduler.entry_ended(0, 20, true);
  CHECK(scheduler.active() == 0);
  CHECK(scheduler.stop().empty());
}

TEST_CASE("sessions that have begun are played to their end when the data have ended") {
  Pattern pattern = fake_pattern(users(2));
  PhaseScheduler scheduler(pattern, {.open_loop = false});
  CHECK(scheduler.take_due(0, 0));
  scheduler.session_taken(2);
  CHECK(scheduler.take_due(0, 0));
  scheduler.data_ended(0);
  CHECK_FALSE(scheduler.take_due(1, 1));
  CHECK_FALSE(scheduler.load_ended());
  scheduler.turn_ended(0, 5);
  scheduler.turn_taken(6);
  CHECK_FALSE(scheduler.take_due(6, 6));
  CHECK(scheduler.load_ended());
}

TEST_CASE("a blocked open loop shifts what is still to come") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000});
  CHECK(take_all(scheduler, 0, 5) == std::vector<int64_t>{0});
  scheduler.shift(0, 100);
  CHECK(take_all(scheduler, 0, 125) == std::vector<int64_t>{10, 120});  // 10 was committed to before
}

TEST_CASE("a release that blocking shifts out of the window is not waited for in the cool-down") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 20, .cooldown_ns = 1000});
  CHECK(take_all(scheduler, 0, 5) == std::vector<int64_t>{0});
  scheduler.shift(0, 30);
  CHECK(take_all(scheduler, 10, 15) == std::vector<int64_t>{10});
  scheduler.entry_ended(10, 25, true);
  take_all(scheduler, 26, 26);
  CHECK(scheduler.load_ended());  // the one at 30 still runs: it is none of the window's
}

TEST_CASE("DONE ends the load behind its last release, before the phase does") {
  Pattern pattern = fake_pattern([asked = 0](const tkm_load_state&, tkm_load_step& step) mutable {
    step.action = asked < 3 ? TKM_LOAD_RELEASE : TKM_LOAD_DONE;
    step.at_ns = 10 * asked++;
  });
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000, .cooldown_ns = 500});
  CHECK(take_all(scheduler, 0, 100) == std::vector<int64_t>{0, 10, 20});
  CHECK_FALSE(scheduler.load_ended());  // the last one is still to come
  CHECK(scheduler.next_time_ns() == 21);
  take_all(scheduler, 20, 100);
  CHECK_FALSE(scheduler.load_ended());
  take_all(scheduler, 21, 100);
  CHECK(scheduler.load_ended());
}

TEST_CASE(
    "an open loop that waits before it is done keeps the phase open until then, shifted as it was blocked") {
  Pattern pattern = fake_pattern([asked = 0](const tkm_load_state& state, tkm_load_step& step) mutable {
    step.action = asked++ == 0 ? TKM_LOAD_RELEASE : state.now_ns < 50 ? TKM_LOAD_WAIT : TKM_LOAD_DONE;
    step.at_ns = step.action == TKM_LOAD_WAIT ? 50 : 0;
  });
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000});
  CHECK(take_all(scheduler, 0, 5) == std::vector<int64_t>{0});
  CHECK(scheduler.next_time_ns() == 50);
  scheduler.shift(0, 100);
  take_all(scheduler, 50, 55);
  CHECK_FALSE(scheduler.load_ended());
  CHECK(scheduler.next_time_ns() == 150);
  take_all(scheduler, 150, 155);
  CHECK(scheduler.load_ended());
}

// Follows the data's times as a trace does.
test::PatternStep follow() {
  return [](const tkm_load_state& state, tkm_load_step& step) {
    step.action = state.next_arrival_ns < 0 ? TKM_LOAD_DONE : TKM_LOAD_RELEASE;
    step.at_ns = state.next_arrival_ns;
  };
}

TEST_CASE(
    "a trace hears of each sample's arrival once, counted from the phase's first, and ends with the data") {
  const std::vector<int64_t> arrivals{1'000'000, 1'000'000, 1'000'040, 1'000'070};
  size_t taken = 0;
  Pattern pattern = fake_pattern(follow());
  PhaseScheduler scheduler(pattern, {.duration_ns = 1000}, [&] {
    return taken < arrivals.size() ? std::optional(arrivals[taken]) : std::nullopt;
  });
  std::vector<int64_t> times;
  for (int64_t now_ns = 0; now_ns <= 80; now_ns += 10) {
    while (const auto at_ns = scheduler.take_due(now_ns, now_ns + 50)) times.push_back(*at_ns), ++taken;
  }
  CHECK(times == std::vector<int64_t>{0, 0, 40, 70});
  CHECK(scheduler.load_ended());
}

TEST_CASE("a trace leaves what lies behind the phase to the next one, which counts from there") {
  const std::vector<int64_t> arrivals{0, 90, 150, 170};
  size_t taken = 0;
  const auto next_arrival = [&]() -> std::optional<int64_t> {
    return taken < arrivals.size() ? std::optional(arrivals[taken]) : std::nullopt;
  };
  for (const auto& expected : {std::vector<int64_t>{0, 90}, std::vector<int64_t>{0, 20}}) {
    Pattern pattern = fake_pattern(follow());
    PhaseScheduler scheduler(pattern, {.duration_ns = 100}, next_arrival);
    std::vector<int64_t> times;
    while (const auto at_ns = scheduler.take_due(0, 1000)) times.push_back(*at_ns), ++taken;
    CHECK(times == expected);
  }
}

TEST_CASE("slow answers: a window goes on until enough of its requests have ended") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(
      pattern, {.duration_ns = 100, .cooldown_ns = 50, .least_ended = 2, .warmup_ns = 20, .longest_ns = 400});
  CHECK(take_all(scheduler, 155, 160).size() == 17);  // 0, 10, ... 160: past 100 the load goes on
  scheduler.entry_ended(10, 155, true);               // of the warm-up
  scheduler.entry_ended(20, 156, true);
  CHECK(scheduler.duration_ns() == 400);
  scheduler.entry_ended(30, 157, true);
  CHECK(scheduler.duration_ns() == 161);  // what was released stays inside
  CHECK(take_all(scheduler, 160, 175) == std::vector<int64_t>{170});
  CHECK(!scheduler.load_ended());
  for (int64_t at = 0; at <= 160; at += 10) {
    if (at != 10 && at != 20 && at != 30) scheduler.entry_ended(at, 180, true);
  }
  scheduler.take_due(180, 185);
  CHECK(scheduler.load_ended());
}

TEST_CASE("slow answers: where enough have ended in time, the window is as planned") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.duration_ns = 100, .least_ended = 2, .longest_ns = 400});
  take_all(scheduler, 40, 45);
  scheduler.entry_ended(0, 30, true);
  scheduler.entry_ended(10, 40, true);
  CHECK(scheduler.duration_ns() == 100);
  CHECK(take_all(scheduler, 95, 200).back() == 90);
}

TEST_CASE("slow answers: the longest time is an end in any case") {
  Pattern pattern = fake_pattern(users(1));
  PhaseScheduler scheduler(pattern,
                           {.duration_ns = 100, .open_loop = false, .least_ended = 10, .longest_ns = 400});
  CHECK(scheduler.take_due(0, 0) == 0);
  scheduler.take_due(399, 399);
  CHECK(!scheduler.load_ended());
  scheduler.take_due(400, 400);
  CHECK(scheduler.load_ended());
}

TEST_CASE("a count of requests lets sessions begin until they bring so many, and waits for all turns") {
  Pattern pattern = fake_pattern(users(5));
  PhaseScheduler scheduler(pattern, {.requests = 4, .open_loop = false});
  REQUIRE(scheduler.take_due(0, 0) == 0);
  scheduler.session_taken(3);
  REQUIRE(scheduler.take_due(0, 0) == 0);
  scheduler.session_taken(3);
  CHECK_FALSE(scheduler.take_due(0, 0));  // six are enough; the other users never begin
  CHECK(scheduler.active() == 2);
  CHECK(scheduler.turns_to_come() == 4);
  scheduler.turn_ended(0, 10);
  scheduler.turn_taken(20);
  scheduler.entry_ended(0, 30, false, 2);  // the other one fails: its turns will not come
  CHECK_FALSE(scheduler.take_due(30, 30));
  CHECK_FALSE(scheduler.load_ended());
  scheduler.turn_ended(20, 40);
  scheduler.turn_taken(50);
  CHECK_FALSE(scheduler.take_due(50, 50));
  CHECK(scheduler.load_ended());  // nothing is to come; what is on the wire is the drain's
}

TEST_CASE("a count of sessions is one of entries") {
  Pattern pattern = fake_pattern(every(10));
  PhaseScheduler scheduler(pattern, {.sessions = 2});
  CHECK(scheduler.take_due(0, 100) == 0);
  scheduler.session_taken(2);
  CHECK(scheduler.take_due(0, 100) == 10);
  CHECK_FALSE(scheduler.take_due(20, 100));
  CHECK_FALSE(scheduler.load_ended());
  scheduler.turn_ended(0, 30);
  scheduler.turn_taken(30);
  CHECK_FALSE(scheduler.take_due(30, 100));
  CHECK(scheduler.load_ended());
}

TEST_CASE("a window waits for the turns that are scheduled in it, not for whole sessions") {
  Pattern pattern = fake_pattern(users(1));
  PhaseScheduler scheduler(pattern, {.duration_ns = 100, .cooldown_ns = 50, .open_loop = false});
  REQUIRE(scheduler.take_due(0, 0) == 0);
  scheduler.session_taken(3);
  scheduler.turn_ended(0, 60);
  scheduler.turn_taken(90);
  CHECK_FALSE(scheduler.take_due(100, 100));
  CHECK_FALSE(scheduler.load_ended());
  scheduler.turn_ended(90, 110);
  CHECK_FALSE(scheduler.take_due(110, 110));
  CHECK(scheduler.load_ended());
}

}  // namespace tokometer

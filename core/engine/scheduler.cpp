#include "engine/scheduler.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <tokometer/abi.h>

namespace tokometer {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr uint32_t kMostActive =
    10'000'000;  // more than any machine holds: a pattern that releases without end

}  // namespace

PhaseScheduler::PhaseScheduler(Pattern& pattern, const PhaseLimits& limits, NextArrival next_arrival)
    : pattern_(pattern), limits_(limits), next_arrival_(std::move(next_arrival)) {
  if (!limits_.duration_ns || limits_.least_ended == 0) return;
  window_is_open_ = true;
  planned_end_ns_ = *limits_.duration_ns;
  limits_.duration_ns = std::max(planned_end_ns_, limits_.longest_ns);
}

// What has been taken stays inside: nothing that counted as part of the window falls out of it again.
void PhaseScheduler::close_window_if_enough(int64_t now_ns) {
  if (!window_is_open_ || counted_ended_ < limits_.least_ended) return;
  window_is_open_ = false;
  limits_.duration_ns =
      std::min(*limits_.duration_ns, std::max({planned_end_ns_, now_ns, last_taken_ns_ + 1}));
}

int64_t PhaseScheduler::last_time_ns() const noexcept {
  return limits_.duration_ns ? *limits_.duration_ns + limits_.cooldown_ns : kNever;
}

void PhaseScheduler::fail(std::string sentence) {
  fault_ = std::move(sentence);
  ended_ = true;
}

void PhaseScheduler::release(int64_t at_ns, int64_t now_ns) {
  if (at_ns < 0) {
    return fail("the load pattern released at " + std::to_string(at_ns) +
                " ns; times count from the phase start");
  }
  if (limits_.open_loop && at_ns < latest_ns_) {
    return fail("the load pattern went back in time (" + std::to_string(at_ns) + " ns after " +
                std::to_string(latest_ns_) + " ns); an open loop never does");
  }
  if (!limits_.open_loop && at_ns < now_ns) {
    return fail("the load pattern released at " + std::to_string(at_ns) + " ns, before now (" +
                std::to_string(now_ns) + " ns); a closed loop never does");
  }
  if (active_ >= kMostActive) return fail("the load pattern releases without end (10,000,000 are active)");
  latest_ns_ = std::max(latest_ns_, at_ns);
  if (at_ns >= last_time_ns()) {  // outside the phase: of an open loop all that follow are, too
    done_ = done_ || limits_.open_loop;
    ++active_;  // the pattern holds it for active, so do we
    return;
  }
  committed_.push(at_ns);
  ++active_;
  ++asked_releases_;
  done_ = done_ || (limits_.requests && asked_releases_ >= *limits_.requests) ||
          (limits_.sessions && asked_releases_ >= *limits_.sessions);
}

void PhaseScheduler::wait(int64_t until_ns) {
  if (until_ns == kNever && active_ == 0)
    return fail("load pattern deadlock: it waits for ever and nothing is active");
  wait_until_ns_ = until_ns == kNever ? kNever : until_ns + pattern_shift_ns();
}

// How far the clock of an open loop is behind, because it stood still.
int64_t PhaseScheduler::pattern_shift_ns() const noexcept {
  return limits_.open_loop ? shift_ns_ : 0;
}

int64_t PhaseScheduler::next_arrival_ns() {
  const auto arrival_ns = next_arrival_ ? next_arrival_() : std::nullopt;
  if (!arrival_ns) return -1;
  if (!first_arrival_ns_) first_arrival_ns_ = arrival_ns;
  return *arrival_ns - *first_arrival_ns_;
}

void PhaseScheduler::ask(int64_t now_ns) {
  const tkm_load_state state{.struct_size = sizeof(tkm_load_state),
                             .active = active_,
                             .in_flight = in_flight_,
                             .reserved = 0,
                             .now_ns = now_ns - pattern_shift_ns(),
                             .next_arrival_ns = next_arrival_ns(),
                             .released = asked_releases_,
                             .completed = completed_,
                             .failed = failed_};
  tkm_load_step step{};
  step.struct_size = sizeof step;
  step.users = users_;
  wait_until_ns_ = -1;
  std::string sentence;
  if (pattern_.next(state, step, sentence) < 0) return fail("the load pattern failed: " + sentence);
  users_ = step.users;
  switch (step.action) {
    case TKM_LOAD_RELEASE:
      return release(step.at_ns + shift_ns_, now_ns);
    case TKM_LOAD_WAIT:
      return wait(step.at_ns);
    case TKM_LOAD_DONE:
      done_ = said_done_ = true;
      return;
    default:
      fail("the load pattern answered with action " + std::to_string(step.action) + ", which does not exist");
  }
}

void PhaseScheduler::ask_until_it_waits(int64_t now_ns) {
  while (!done_ && !ended_ && wait_until_ns_ < 0) {
    // One commitment is far enough ahead, since times never fall; the sample it will get is the next one.
    if (limits_.open_loop && !committed_.empty()) return;
    ask(now_ns);
  }
}

void PhaseScheduler::end_if_window_is_done(int64_t now_ns) {
  if (done_ && nothing_to_come() && !limits_.duration_ns) ended_ = true;
  if (said_done_ && nothing_to_come() && now_ns > latest_ns_) ended_ = true;
  if (!limits_.duration_ns || now_ns < *limits_.duration_ns) return;
  // However late we are asked: what the plan has in the window is released, and shows as lag.
  if (!committed_.empty() && committed_.top() < *limits_.duration_ns) return;
  if (window_has_ended() || now_ns >= last_time_ns() || cooldown_is_used_up()) ended_ = true;
}

bool PhaseScheduler::cooldown_is_used_up() const noexcept {
  return limits_.cooldown_requests && taken_in_cooldown_ >= *limits_.cooldown_requests;
}

std::optional<int64_t> PhaseScheduler::take_due(int64_t now_ns, int64_t horizon_ns) {
  if (!ended_ && wait_until_ns_ >= 0 && wait_until_ns_ <= now_ns) {
    const int64_t then_ns = std::exchange(wait_until_ns_, -1);
    ask(then_ns);  // a closed loop plans by "now": the time it asked for, not our late arrival
    ask_until_it_waits(then_ns);
  } else if (!ended_) {
    ask_until_it_waits(limits_.open_loop ? std::max<int64_t>(now_ns, 0) : 0);
  }
  drop_if_enough();
  end_if_window_is_done(now_ns);
  if (ended_ || committed_.empty() || committed_.top() > horizon_ns) return std::nullopt;
  const int64_t at_ns = committed_.top();
  if (at_ns >= last_time_ns()) return std::nullopt;  // the window has closed since it was asked for
  if (limits_.duration_ns && at_ns >= *limits_.duration_ns && cooldown_is_used_up()) return std::nullopt;
  committed_.pop();
  ++released_;
  request_taken(at_ns);
  return at_ns;
}

// Sessions may bring more requests than one each: what was asked for beyond the count is not taken.
void PhaseScheduler::drop_if_enough() {
  if (!limits_.requests || released_ + later_turns_ < *limits_.requests) return;
  done_ = true;
  active_ -= static_cast<uint32_t>(committed_.size());
  committed_ = {};
}

void PhaseScheduler::data_ended(int64_t at_ns) {
  done_ = said_done_ = true;
  latest_ns_ = at_ns;
  wait_until_ns_ = -1;
  --released_;
  --in_flight_;
  active_ -= static_cast<uint32_t>(1 + committed_.size());
  committed_ = {};
  if (limits_.duration_ns) --(at_ns < *limits_.duration_ns ? open_in_window_ : taken_in_cooldown_);
}

void PhaseScheduler::session_taken(uint64_t turns) {
  later_turns_ += turns - 1;
  turns_to_come_ += turns - 1;
}

void PhaseScheduler::request_taken(int64_t at_ns) {
  last_taken_ns_ = std::max(last_taken_ns_, at_ns);
  ++in_flight_;
  if (limits_.duration_ns) ++(at_ns < *limits_.duration_ns ? open_in_window_ : taken_in_cooldown_);
}

void PhaseScheduler::turn_taken(int64_t at_ns) {
  --turns_to_come_;
  request_taken(at_ns);
}

void PhaseScheduler::turn_ended(int64_t scheduled_ns, int64_t end_ns) {
  --in_flight_;
  if (limits_.duration_ns && scheduled_ns < *limits_.duration_ns) --open_in_window_;
  if (scheduled_ns >= limits_.warmup_ns) ++counted_ended_;
  close_window_if_enough(end_ns);
}

void PhaseScheduler::entry_ended(int64_t scheduled_ns, int64_t end_ns, bool ok, uint64_t turns_left) {
  --active_;
  turns_to_come_ -= turns_left;
  ++(ok ? completed_ : failed_);
  turn_ended(scheduled_ns, end_ns);
  if (ended_ || done_ || limits_.open_loop) return;
  ask(end_ns);
  ask_until_it_waits(end_ns);
}

void PhaseScheduler::shift(int64_t at_ns, int64_t by_ns) {
  stand_still(by_ns);
  const auto in_window = [this](int64_t time_ns) {
    return limits_.duration_ns && time_ns < *limits_.duration_ns;
  };
  if (in_window(at_ns) && !in_window(at_ns + by_ns)) --open_in_window_;
}

std::vector<int64_t> PhaseScheduler::stop() {
  ended_ = true;
  std::vector<int64_t> left;
  for (; !committed_.empty(); committed_.pop()) left.push_back(committed_.top());
  return left;
}

int64_t PhaseScheduler::next_time_ns() const noexcept {
  if (ended_) return kNever;
  // The pattern has not been asked what follows the last release: that may be due at once.
  if (!done_ && committed_.empty() && wait_until_ns_ < 0) return latest_ns_;
  int64_t next = last_time_ns();
  if (limits_.duration_ns && (window_has_ended() || cooldown_is_used_up()))
    next = std::min(next, *limits_.duration_ns);
  if (!committed_.empty()) next = std::min(next, committed_.top());
  if (wait_until_ns_ >= 0) next = std::min(next, wait_until_ns_);
  if (said_done_ && nothing_to_come()) next = std::min(next, latest_ns_ + 1);
  return next;
}

}  // namespace tokometer

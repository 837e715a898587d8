#include "check/simulated_phase.hpp"

#include <tokometer/random.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <queue>

namespace tokometer::check {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int kMostCallsInARow = 10'000;  // without a release or a step of the clock
constexpr size_t kMostActive = 2'000'000;

class Simulation {
 public:
  Simulation(Pattern& pattern, const PhaseOptions& options)
      : pattern_(pattern), options_(options), random_(options.seed, "entries") {}

  Phase run() {
    while (phase_.failure.empty() && !phase_.done && phase_.times_ns.size() < options_.releases) ask();
    return std::move(phase_);
  }

 private:
  void refuse(Phase::Rule rule, std::string sentence) {
    if (phase_.failure.empty()) phase_.failure = std::move(sentence), phase_.rule = rule;
  }

  void ask() {
    const tkm_load_state state{.struct_size = sizeof state,
                               .active = static_cast<uint32_t>(ends_.size()),
                               .in_flight = static_cast<uint32_t>(ends_.size()),
                               .reserved = 0,
                               .now_ns = now_ns_,
                               .next_arrival_ns = static_cast<int64_t>(phase_.times_ns.size()) * 10'000'000,
                               .released = phase_.times_ns.size(),
                               .completed = completed_,
                               .failed = failed_};
    tkm_load_step step{};
    std::string err;
    const tkm_status status = pattern_.next(state, step, err);
    if (status < 0) return refuse(Phase::Rule::status, err);
    if (++calls_ > kMostCallsInARow)
      return refuse(Phase::Rule::calls, "was asked 10,000 times without a release or a later time");
    phase_.most_users = std::max(phase_.most_users, step.users);
    if (step.action == TKM_LOAD_DONE) phase_.done = true;
    if (step.action == TKM_LOAD_RELEASE) release(step);
    if (step.action == TKM_LOAD_WAIT) wait(step.at_ns);
  }

  void release(const tkm_load_step& step) {
    const std::string at = "released at " + std::to_string(step.at_ns) + " ns, ";
    if (step.at_ns < 0) return refuse(Phase::Rule::times, at + "before the phase began");
    if (options_.is_open_loop && step.at_ns < latest_ns_) {
      return refuse(Phase::Rule::times,
                    at + "after one at " + std::to_string(latest_ns_) + " ns: an open loop never goes back");
    }
    if (!options_.is_open_loop && step.at_ns < now_ns_) {
      return refuse(Phase::Rule::times,
                    at + "before now (" + std::to_string(now_ns_) + " ns): a closed loop never does");
    }
    if (ends_.size() >= kMostActive) return refuse(Phase::Rule::calls, "releases without end");
    calls_ = 0;
    latest_ns_ = step.at_ns;
    phase_.times_ns.push_back(step.at_ns);
    phase_.users.push_back(step.users);
    const auto takes_ns = static_cast<int64_t>(random_.exponential(static_cast<double>(options_.mean_ns)));
    ends_.push(step.at_ns < kNever - takes_ns ? step.at_ns + takes_ns : kNever);
    phase_.most_active = std::max(phase_.most_active, static_cast<uint32_t>(ends_.size()));
    if (options_.is_open_loop && options_.asks_late) advance_to(step.at_ns);
  }

  // Ends may be told late and in batches: now_ns is the end's own time, which may lie before the last one's.
  void end_one() {
    const int64_t end_ns = ends_.top();
    ends_.pop();
    ++ended_;
    const bool fails = options_.fail_one_in > 0 && ended_ % static_cast<uint64_t>(options_.fail_one_in) == 0;
    ++(fails ? failed_ : completed_);
    now_ns_ = end_ns;
    calls_ = 0;
  }

  void advance_to(int64_t at_ns) {
    while (!ends_.empty() && ends_.top() <= at_ns) end_one();
    now_ns_ = at_ns;
  }

  void wait(int64_t until_ns) {
    if (until_ns == kNever && ends_.empty())
      return refuse(Phase::Rule::deadlock, "waits for ever and nothing is active");
    if (!ends_.empty() && ends_.top() <= until_ns) return end_one();
    if (until_ns > now_ns_) now_ns_ = until_ns, calls_ = 0;
  }

  Pattern& pattern_;
  const PhaseOptions& options_;
  tkm::Random random_;
  Phase phase_;
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> ends_;  // of the active entries
  int64_t now_ns_ = 0, latest_ns_ = 0;
  uint64_t completed_ = 0, failed_ = 0, ended_ = 0;
  int calls_ = 0;
};

}  // namespace

Phase run_phase(Pattern& pattern, const PhaseOptions& options) {
  return Simulation(pattern, options).run();
}

}  // namespace tokometer::check

// Of the load driver: a sweep.
#include <algorithm>
#include <atomic>
#include <thread>

#include "engine/active_phase.hpp"
#include "engine/load_driver.hpp"
#include "engine/sweep_plan.hpp"
#include "plugin/crash.hpp"

namespace tokometer {
namespace {

constexpr int64_t kPollNs = 100'000'000;        // longest sleep: stop orders and ticks
constexpr int64_t kRecordsPollNs = 20'000'000;  // between looks at what has been written

}  // namespace

// Points as phases, one by one; between two of them nothing runs and the records of the last one are read.
void LoadDriver::run_sweep() {
  SweepPlanner planner(*plan_.file.sweep, plan_.sweep()->pattern, plan_.sweep()->whole);
  most_points_ = planner.planned();
  while (!no_more_load_) {
    const auto point = planner.next();
    if (!point) break;
    if (!points_.empty()) wait_for_servers();
    if (no_more_load_) break;
    const uint64_t from_byte = writer_.file_bytes();
    points_.push_back(plan_point(plan_.first(), *point));
    run_phase({{*lanes_.front(), points_.back()}}, false);
    const auto result = result_of(point->name, from_byte);
    if (!result) return;
    planner.ended(*result);
  }
  if (planner.fault().empty()) return;
  warn("sweep", planner.fault());
  fault_ = planner.fault();
}

std::optional<PointResult> LoadDriver::result_of(const std::string& point, uint64_t from_byte) {
  wait_for_records();
  std::optional<Result<PointResult>> result;
  aside([&] { result = judge_(point, from_byte); });
  if (*result) return **result;
  end_run("disk", result->error().message);
  return std::nullopt;
}

// Until the lines of all requests so far are in the file. A reply may still come in for a second behind its
// logical end.
void LoadDriver::wait_for_records() {
  constexpr int64_t kLongestNs = 5'000'000'000;
  const int64_t begin_ns = now_ns();
  const auto are_there = [this] { return writer_.request_lines() >= next_seq_ && writer_.has_written_all(); };
  while (!are_there() && now_ns() - begin_ns < kLongestNs) pass_time(now_ns() + kRecordsPollNs);
}

// Between two points: signals are heard and ticks go on.
void LoadDriver::pass_time(int64_t until_ns) {
  take_completions();
  check_stop();
  serve_ticks(now_ns());
  sleep_until(std::min(until_ns, tick_line_ns_));
}

// What takes its time has a thread of its own meanwhile.
void LoadDriver::aside(const std::function<void()>& work) {
  std::atomic<bool> is_done{false};
  std::thread thread([&] {
    const SignalStack signal_stack;
    work();
    is_done = true;
    interrupt();
  });
  while (!is_done) pass_time(now_ns() + kPollNs);
  thread.join();
}

}  // namespace tokometer

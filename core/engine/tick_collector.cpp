#include "engine/tick_collector.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace tokometer {
namespace {

int64_t read_ns(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// How long the host has slept since it was started: the boot clock counts on, the monotonic one does not.
int64_t suspended_ns() {
  return read_ns(CLOCK_BOOTTIME) - read_ns(CLOCK_MONOTONIC);
}

constexpr int64_t kSuspendNoiseNs = 1'000'000;  // the two clocks are read one after the other

}  // namespace

TickCollector::TickCollector(const Clock& clock, int64_t start_ns)
    : clock_(clock),
      start_ns_(start_ns),
      suspended_at_start_ns_(suspended_ns()),
      cpu_at_start_ns_(process_cpu_ns()),
      host_(clock) {}

void TickCollector::add_thread(std::string name, int32_t tid, bool io) {
  threads_.push_back({std::move(name), tid, io, {}, 0, 0});
}

void TickCollector::add(const WorkerTick& tick, TickLine& line) {
  line.client_lag.merge(tick.client_lag);
  line.ambiguity.merge(tick.ambiguity);
  const std::string name = "io-" + std::to_string(tick.worker);
  for (Thread& thread : threads_) {
    if (thread.name == name) thread.longest_turn_ns = std::max(thread.longest_turn_ns, tick.longest_turn_ns);
  }
}

void TickCollector::read_threads(TickLine& line) {
  for (Thread& thread : threads_) {
    // A thread that has ended leaves no file behind: what it used stays what it was.
    if (const ThreadUse use = thread_use(thread.tid); use.cpu_ns > 0) {
      thread.waited_ns += excess_wait_ns(thread.use, use);
      thread.use = use;
    }
    line.threads.push_back({.name = thread.name,
                            .io = thread.io,
                            .cpu_ns = thread.use.cpu_ns,
                            .run_queue_ns = thread.waited_ns,
                            .longest_turn_ns = std::exchange(thread.longest_turn_ns, 0)});
  }
}

void TickCollector::complete(TickLine& line) {
  line.at_ns = clock_.now_ns() - start_ns_;
  inbox_.take(taken_);
  for (auto& tick : taken_) {
    add(*tick, line);
    if (latest_.size() <= tick->worker) latest_.resize(tick->worker + 1);
    latest_[tick->worker] = std::move(tick);
  }
  for (const auto& tick : latest_) {
    if (!tick) continue;
    line.reads += tick->reads;
    line.user_stamp_reads += tick->user_stamp_reads;
    line.clock_steps += tick->clock_steps;
    line.token_events += tick->token_events;
    line.flagged_events += tick->flagged_events;
  }
  read_threads(line);
  const ProcessUse process = process_use();
  line.rss_bytes = process.rss_bytes;
  line.rss_peak_bytes = process.rss_peak_bytes;
  line.cpu_ns = process_cpu_ns() - cpu_at_start_ns_;
  line.fds = process.open_fds;
  line.host_gap_ns = host_.lost_ns();
  const int64_t slept_ns = suspended_ns() - suspended_at_start_ns_;
  line.suspended_ns = slept_ns > kSuspendNoiseNs ? slept_ns : 0;
}

}  // namespace tokometer

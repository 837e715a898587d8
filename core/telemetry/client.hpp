// Our own process, so that the verdict can say when the client was the bottleneck: CPU and run-queue delay of
// a thread, memory, descriptors, and the time that the host took away. All from /proc and CPU clocks; any
// thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/clock.hpp"

namespace tokometer {

struct ProcessUse {
  int64_t rss_bytes = 0;
  int64_t rss_peak_bytes = 0;  // the highest since the program was started
  int64_t open_fds = 0;
};
ProcessUse process_use();

struct ThreadUse {
  int64_t cpu_ns = 0;        // on a CPU since its start
  int64_t run_delay_ns = 0;  // ready to run, but waiting for a CPU
  int64_t dispatches = 0;    // how often it was put on a CPU
};
// Of one thread of this process, from its schedstat file; zeros where the kernel keeps none.
ThreadUse thread_use(pid_t tid);

// Of the wait between two readings, what exceeds kUsualDispatchNs a dispatch. Every wake-up waits some
// microseconds, on the quietest host too, and a thread that wakes for each token has thousands of them a
// second; only what goes beyond says that somebody else had the CPU.
inline constexpr int64_t kUsualDispatchNs = 50'000;
int64_t excess_wait_ns(const ThreadUse& before, const ThreadUse& after);

// CPU time of the whole process since its start.
int64_t process_cpu_ns();

// A thread that sleeps 1 ms over and over and counts by how much it woke too late: time that neither it nor a
// worker could use. Low duty (about 1 % of a core).
class HostSampler {
 public:
  explicit HostSampler(const Clock& clock);
  ~HostSampler();  // ends the thread
  HostSampler(const HostSampler&) = delete;
  HostSampler& operator=(const HostSampler&) = delete;

  int64_t lost_ns() const noexcept {
    return lost_ns_.load(std::memory_order_relaxed);
  }  // sum of gaps over 1 ms
  int64_t longest_gap_ns() const noexcept { return longest_ns_.load(std::memory_order_relaxed); }

 private:
  void sample();

  const Clock& clock_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> lost_ns_{0};
  std::atomic<int64_t> longest_ns_{0};
  std::thread thread_;
};

}  // namespace tokometer

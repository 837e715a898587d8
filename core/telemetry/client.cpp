#include "telemetry/client.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

namespace tokometer {
namespace {

// Not ru_maxrss: that one also remembers what the program before our exec() had, such as a large shell.
int64_t peak_rss_bytes() {
  constexpr std::string_view kKey = "VmHWM:";
  constexpr int64_t kKibibyte = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (int64_t size = 0; word == kKey && status >> size) return size * kKibibyte;
  }
  return 0;
}

}  // namespace

ProcessUse process_use() {
  ProcessUse use;
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  if (std::ifstream statm("/proc/self/statm"); statm >> total_pages >> resident_pages) {
    use.rss_bytes = resident_pages * sysconf(_SC_PAGESIZE);
  }
  use.rss_peak_bytes = peak_rss_bytes();
  if (DIR* folder = opendir("/proc/self/fd"); folder != nullptr) {
    while (readdir(folder) != nullptr) ++use.open_fds;
    closedir(folder);
    use.open_fds -= 3;  // ".", ".." and the folder itself
  }
  return use;
}

ThreadUse thread_use(pid_t tid) {
  ThreadUse use;
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/schedstat");
  file >> use.cpu_ns >> use.run_delay_ns >> use.dispatches;
  return use;
}

int64_t excess_wait_ns(const ThreadUse& before, const ThreadUse& after) {
  const int64_t usual_ns = (after.dispatches - before.dispatches) * kUsualDispatchNs;
  return std::max<int64_t>(0, after.run_delay_ns - before.run_delay_ns - usual_ns);
}

int64_t process_cpu_ns() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return (int64_t{time.tv_sec} * 1'000'000 + time.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

HostSampler::HostSampler(const Clock& clock) : clock_(clock), thread_([this] { sample(); }) {}

HostSampler::~HostSampler() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void HostSampler::sample() {
  constexpr int64_t kPeriodNs = 1'000'000;
  int64_t before_ns = clock_.now_ns();
  while (!stop_.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kPeriodNs));
    const int64_t now_ns = clock_.now_ns();
    const int64_t late_ns = now_ns - before_ns - kPeriodNs;
    before_ns = now_ns;
    if (late_ns <= kPeriodNs) continue;
    lost_ns_.fetch_add(late_ns, std::memory_order_relaxed);
    longest_ns_.store(std::max(longest_gap_ns(), late_ns), std::memory_order_relaxed);
  }
}

}  // namespace tokometer

// hiccup SECONDS [CORE...]: how calm is this machine? On each core a thread reads the clock over and over. A
// step of more than 10 us is a gap: somebody else had the core (another process, the hypervisor). Prints one
// JSON line: for each core the share of time lost in gaps, the gaps over 1 ms, the longest gap and how many
// reads a second there were.
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "machine_clock.hpp"

namespace tokometer::bench {
namespace {

constexpr int64_t kGapNs = 10'000, kLongGapNs = 1'000'000, kSecondNs = 1'000'000'000;

struct Calm {
  int core = -1;
  bool pinned = false;
  int64_t elapsed_ns = 0, lost_ns = 0, gaps = 0, long_gaps = 0, longest_ns = 0, reads = 0;
};

bool pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

void watch(Calm& calm, int64_t duration_ns) {
  if (calm.core >= 0) calm.pinned = pin(calm.core);
  const int64_t begin = now_ns();
  int64_t last = begin;
  while (last - begin < duration_ns) {
    const int64_t now = now_ns();
    const int64_t step = now - last;
    last = now;
    ++calm.reads;
    if (step <= kGapNs) continue;
    calm.lost_ns += step;
    ++calm.gaps;
    calm.long_gaps += step > kLongGapNs ? 1 : 0;
    calm.longest_ns = std::max(calm.longest_ns, step);
  }
  calm.elapsed_ns = last - begin;
}

void print(const Calm& calm, bool first) {
  const double elapsed = static_cast<double>(calm.elapsed_ns);
  std::printf(
      "%s{\"core\":%d,\"pinned\":%s,\"seconds\":%.3f,\"loss\":%.6f,\"gaps\":%lld,\"gaps_over_1ms\":%lld,"
      "\"longest_ms\":%.4f,\"reads_per_s\":%.0f}",
      first ? "" : ",", calm.core, calm.pinned ? "true" : "false", elapsed / 1e9,
      static_cast<double>(calm.lost_ns) / elapsed, static_cast<long long>(calm.gaps),
      static_cast<long long>(calm.long_gaps), static_cast<double>(calm.longest_ns) / 1e6,
      static_cast<double>(calm.reads) * 1e9 / elapsed);
}

int run(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0;
  if (seconds <= 0 || seconds > 600) {
    std::fprintf(stderr, "usage: hiccup SECONDS [CORE...]   (0 < SECONDS <= 600)\n");
    return 2;
  }
  std::vector<Calm> cores(static_cast<size_t>(std::max(1, argc - 2)));
  for (int i = 2; i < argc; ++i) cores[static_cast<size_t>(i - 2)].core = std::atoi(argv[i]);
  std::vector<std::thread> threads;
  for (Calm& calm : cores) {
    threads.emplace_back(watch, std::ref(calm),
                         static_cast<int64_t>(seconds * static_cast<double>(kSecondNs)));
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("{\"cores\":[");
  for (const Calm& calm : cores) print(calm, &calm == cores.data());
  std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace tokometer::bench

int main(int argc, char** argv) {
  return tokometer::bench::run(argc, argv);
}

#include "telemetry/client.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

namespace tokometer {

TEST_CASE("of the wait for a CPU only what exceeds the usual cost of wake-ups counts") {
  const ThreadUse before{.cpu_ns = 0, .run_delay_ns = 1'000'000, .dispatches = 100};
  SUBCASE("many short waits") {
    CHECK(excess_wait_ns(before,
                         {.cpu_ns = 0, .run_delay_ns = 1'000'000 + 3000 * 14'000, .dispatches = 3100}) == 0);
  }
  SUBCASE("few long ones") {
    CHECK(excess_wait_ns(before, {.cpu_ns = 0, .run_delay_ns = 1'000'000 + 200'000'000, .dispatches = 150}) ==
          200'000'000 - 50 * kUsualDispatchNs);
  }
}

TEST_CASE("this process and this thread have used something") {
  const int64_t before_ns = process_cpu_ns();
  while (process_cpu_ns() < before_ns + 4'000'000) {  // ends: this loop is what it counts
  }
  const ThreadUse use = thread_use(gettid());
  CHECK(use.cpu_ns > 0);
  CHECK(use.dispatches > 0);
  const ProcessUse process = process_use();
  CHECK(process.rss_bytes > 1'000'000);
  // The kernel counts both in batches, thread by thread, so the peak may lag behind by some pages.
  CHECK(process.rss_peak_bytes > process.rss_bytes / 2);
  CHECK(process.open_fds >= 3);
  CHECK(thread_use(-1).cpu_ns == 0);
}

}  // namespace tokometer

#include "telemetry/client.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include "base/clock.hpp"

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
  const SteadyClock clock;
  for (const int64_t until = clock.now_ns() + 5'000'000; clock.now_ns() < until;) {
  }
  CHECK(process_cpu_ns() >= 4'000'000);
  const ThreadUse use = thread_use(gettid());
  CHECK(use.cpu_ns > 0);
  CHECK(use.dispatches > 0);
  CHECK(process_use().rss_bytes > 1'000'000);
  CHECK(process_use().open_fds >= 3);
  CHECK(thread_use(-1).cpu_ns == 0);
}

}  // namespace tokometer

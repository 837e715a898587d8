#include "base/clock.hpp"

#include <ctime>
#include <limits>

namespace tokometer {
namespace {

int64_t read_ns(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t SteadyClock::now_ns() const noexcept {
  return read_ns(CLOCK_MONOTONIC);
}

int64_t wall_clock_offset_ns() noexcept {
  int64_t best_width = std::numeric_limits<int64_t>::max();
  int64_t offset = 0;
  for (int i = 0; i < 5; ++i) {
    const int64_t before = read_ns(CLOCK_MONOTONIC);
    const int64_t wall = read_ns(CLOCK_REALTIME);
    const int64_t after = read_ns(CLOCK_MONOTONIC);
    if (after - before < best_width) {
      best_width = after - before;
      offset = wall - (before + (after - before) / 2);
    }
  }
  return offset;
}

}  // namespace tokometer

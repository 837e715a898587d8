#include "check/memory_in_use.hpp"

#include <malloc.h>

#include <algorithm>
#include <limits>

namespace tokometer::check {
namespace {

size_t bytes_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

size_t bytes_lost_per_round(const std::function<void()>& round) {
  constexpr int kWarmUp = 3, kRounds = 4;
  for (int i = 0; i < kWarmUp; ++i) round();
  // The allocator's own caches may move by a few blocks once; what is lost is lost in every round.
  size_t least = std::numeric_limits<size_t>::max();
  for (int i = 0; i < kRounds; ++i) {
    const size_t before = bytes_in_use();
    round();
    const size_t after = bytes_in_use();
    least = std::min(least, after > before ? after - before : 0);
  }
  return least;
}

}  // namespace tokometer::check

#include "sim/pace.hpp"

#include <cmath>
#include <tokometer/random.hpp>

namespace tokometer::sim {

int64_t Pace::first_due(const Shape& shape, uint32_t stream, int64_t arrival_ns) const {
  // n golden sections modulo 1, in 32-bit fixed point: even at every length of the sequence.
  const uint32_t section = stream * 0x9E3779B9u;
  const auto share = static_cast<int64_t>(static_cast<double>(section) * 0x1p-32 *
                                          static_cast<double>(options_.ttft_spread_ns));
  const int64_t due = stall_.after(arrival_ns) + jittered(shape.ttft_ns, stream, 0) + share;
  return stall_.after(options_.step_ns > 0 ? on_grid(due) : due);
}

int64_t Pace::next_due(const Shape& shape, uint32_t stream, uint64_t index, int64_t previous_ns) const {
  if (options_.step_ns > 0) return stall_.after(on_grid(previous_ns + 1));
  return stall_.after(previous_ns + jittered(shape.itl_ns, stream, index));
}

int64_t Pace::on_grid(int64_t at_ns) const {
  const int64_t since = at_ns - options_.origin_ns;
  return options_.origin_ns + (since + options_.step_ns - 1) / options_.step_ns * options_.step_ns;
}

int64_t Pace::jittered(int64_t gap_ns, uint32_t stream, uint64_t index) const {
  if (options_.jitter == 0 || gap_ns == 0) return gap_ns;
  tkm::Random random(options_.seed ^ (uint64_t{stream} << 32u) ^ (index * 0x9E3779B97F4A7C15), "jitter");
  return static_cast<int64_t>(
      random.lognormal(static_cast<double>(gap_ns), options_.jitter * static_cast<double>(gap_ns)));
}

}  // namespace tokometer::sim

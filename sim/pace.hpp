// When tokens are due in mode `fixed`: pure functions of options, seed, request number and the instant of
// arrival. Same seed, same due times, whatever else runs. One Pace for the server; no state but the grid's
// origin and the stall.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/shape.hpp"

namespace tokometer::sim {

// One freeze of the whole server: what would happen inside it happens at its end.
class Stall {
 public:
  Stall() = default;
  Stall(int64_t begin_ns, int64_t length_ns) : begin_ns_(begin_ns), end_ns_(begin_ns + length_ns) {}
  int64_t after(int64_t at_ns) const { return at_ns >= begin_ns_ && at_ns < end_ns_ ? end_ns_ : at_ns; }

 private:
  int64_t begin_ns_ = 0, end_ns_ = 0;
};

class Pace {
 public:
  struct Options {
    int64_t origin_ns = 0;       // a step of mode step is due at origin + n * itl
    int64_t step_ns = 0;         // 0: each stream keeps its own phase
    int64_t ttft_spread_ns = 0;  // request n gets its share: n golden sections, modulo 1
    double jitter = 0;           // sigma of the lognormal factor on each gap; its mean is 1
    uint64_t seed = 0;
  };

  explicit Pace(const Options& options) : options_(options) {}

  // Due time of a stream's first token event.
  int64_t first_due(const Shape& shape, uint32_t stream, int64_t arrival_ns) const;
  // Due time of event `index` (from 1), after the one that was due at previous_ns.
  int64_t next_due(const Shape& shape, uint32_t stream, uint64_t index, int64_t previous_ns) const;

  void set_stall(const Stall& stall) { stall_ = stall; }
  const Stall& stall() const { return stall_; }

 private:
  int64_t on_grid(int64_t at_ns) const;
  int64_t jittered(int64_t gap_ns, uint32_t stream, uint64_t index) const;

  Options options_;
  Stall stall_;
};

}  // namespace tokometer::sim

// What a worker has seen since it was last asked. It fills one at a time and hands it over whole, so nothing
// is shared while it counts.
#pragma once

#include <cstdint>

#include "metrics/histogram.hpp"

namespace tokometer {

struct WorkerTick {
  uint32_t worker = 0;
  Histogram client_lag;  // per read
  Histogram ambiguity;   // per token event in a flagged read
  int64_t longest_turn_ns = 0;
  // cumulative
  uint64_t reads = 0, user_stamp_reads = 0, clock_steps = 0, token_events = 0, flagged_events = 0;
};

}  // namespace tokometer

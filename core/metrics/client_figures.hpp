// What the tick lines say about the client itself during one measure window. Private to core/metrics.
#pragma once

#include <cstdint>

#include "metrics/record_log.hpp"

namespace tokometer {

class ClientFigures {
 public:
  int64_t first_ns = kAbsent, last_ns = kAbsent;  // of the ticks at the two ends
  TickLine first, last;                           // their cumulative values
  Histogram lag, ambiguity;
  int64_t longest_turn_ns = 0, backlog_peak_bytes = 0, backlog_limit_bytes = 0;
  uint64_t ticks = 0;  // 0: nothing is known

  // All ticks of the run, in order. A tick tells about the time since the one before; it belongs to the
  // window if the middle of that time does.
  void add(const TickLine& line, int64_t w0_ns, int64_t w1_ns);

  // Growth of a cumulative value over the window, and the time between the two ticks; 0 without ticks.
  double growth(int64_t TickLine::*value) const {
    return ticks == 0 ? 0 : static_cast<double>(last.*value - first.*value);
  }
  double ticked_ns() const {
    return ticks == 0 ? 0 : static_cast<double>(last_ns - (first_ns == kAbsent ? 0 : first_ns));
  }

  // The highest share of that time that one I/O thread spent on `value`.
  double busiest(int64_t ThreadTick::*value) const;
  double user_stamp_share() const;  // of the reads

 private:
  int64_t last_tick_ns_ = 0;
};

}  // namespace tokometer

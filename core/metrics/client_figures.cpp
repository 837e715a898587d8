#include "metrics/client_figures.hpp"

#include <algorithm>

namespace tokometer {
namespace {

// The cumulative parts of a tick, without its histograms.
TickLine cumulative_of(const TickLine& line) {
  TickLine copy;
  copy.at_ns = line.at_ns, copy.totals = line.totals, copy.threads = line.threads;
  copy.cpu_ns = line.cpu_ns, copy.rss_peak_bytes = line.rss_peak_bytes;
  copy.host_gap_ns = line.host_gap_ns, copy.clock_steps = line.clock_steps,
  copy.suspended_ns = line.suspended_ns;
  copy.reads = line.reads, copy.user_stamp_reads = line.user_stamp_reads;
  copy.token_events = line.token_events, copy.flagged_events = line.flagged_events;
  return copy;
}

}  // namespace

void ClientFigures::add(const TickLine& line, int64_t w0_ns, int64_t w1_ns) {
  const int64_t middle = last_tick_ns_ + (line.at_ns - last_tick_ns_) / 2;
  last_tick_ns_ = line.at_ns;
  if (middle < w0_ns) {
    first_ns = line.at_ns;
    first = cumulative_of(line);
    return;
  }
  if (middle >= w1_ns) return;
  last_ns = line.at_ns;
  last = cumulative_of(line);
  lag.merge(line.client_lag);
  ambiguity.merge(line.ambiguity);
  for (const ThreadTick& thread : line.threads) {
    if (thread.io) longest_turn_ns = std::max(longest_turn_ns, thread.longest_turn_ns);
  }
  backlog_peak_bytes = std::max(backlog_peak_bytes, line.writer_backlog_bytes);
  backlog_limit_bytes = line.writer_backlog_limit_bytes;
  ++ticks;
}

double ClientFigures::busiest(int64_t ThreadTick::*value) const {
  double most = 0;
  for (const ThreadTick& thread : last.threads) {
    if (!thread.io || ticked_ns() <= 0) continue;
    const auto before = std::find_if(first.threads.begin(), first.threads.end(),
                                     [&](const ThreadTick& t) { return t.name == thread.name; });
    const int64_t spent = thread.*value - (before == first.threads.end() ? 0 : (*before).*value);
    most = std::max(most, static_cast<double>(spent) / ticked_ns());
  }
  return most;
}

double ClientFigures::user_stamp_share() const {
  const double reads = growth(&TickLine::reads);
  return reads > 0 ? growth(&TickLine::user_stamp_reads) / reads : 0;
}

}  // namespace tokometer

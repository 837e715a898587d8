// Where the measure window of a phase lies: after the warm-up, before the cool-down (docs/methodology.md).
#include <algorithm>
#include <span>

#include "metrics/statistics.hpp"
#include "metrics/window_pass.hpp"

namespace tokometer {
namespace {

// S of the request with this rank (from 0) in S order; kAbsent if there are not so many.
int64_t nth_start(std::vector<int64_t>& starts, uint64_t rank) {
  if (rank >= starts.size()) return kAbsent;
  const auto nth = starts.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(starts.begin(), nth, starts.end());
  return *nth;
}

// "All start at once": no start is later than the first hundredth of the loaded time.
bool starts_at_once(const PhaseScan& scan) {
  if (scan.last_e_ns == kAbsent || scan.last_s_ns == kAbsent) return false;
  return scan.last_s_ns - scan.first_s_ns <= (scan.last_e_ns - scan.first_s_ns) / 100;
}

void place_end(PhaseScan& scan, int64_t last_instant_ns) {
  if (scan.plan.duration_ns) {
    const int64_t stopped = scan.load_end_ns != kAbsent ? scan.load_end_ns : last_instant_ns;
    scan.w1_ns = std::min(scan.plan.at_ns + *scan.plan.duration_ns, stopped);
    return;
  }
  if (scan.last_s_ns == kAbsent) {
    scan.w1_ns = scan.plan.at_ns;
    return;
  }
  scan.closed_at_last_end = starts_at_once(scan);
  int64_t last_s = scan.last_s_ns;
  // Later ones belong to the cool-down; but a count does not cut a session.
  if (scan.plan.requests && *scan.plan.requests > 0 && !scan.has_sessions) {
    const int64_t last_counted = nth_start(scan.starts, *scan.plan.requests - 1);
    if (last_counted != kAbsent) last_s = last_counted;
  }
  // The window is half open, and its last request belongs to it.
  scan.w1_ns = (scan.closed_at_last_end ? scan.last_e_ns : last_s) + 1;
}

void place_automatic_begin(PhaseScan& scan) {
  const int64_t begin = scan.plan.at_ns, loaded = scan.w1_ns - begin;
  const std::vector<double> in_flight = scan.series->in_flight(scan.w1_ns);
  if (in_flight.size() < 10) {
    scan.warmup = Window::first_fifth;
    scan.w0_ns = begin + loaded / 5;
    return;
  }
  const size_t cut = std::max({mser(in_flight).cut, mser(scan.series->ttft(scan.w1_ns)).cut,
                               mser(scan.series->tokens(scan.w1_ns)).cut});
  const int64_t batch_ns = LoadSeries::kBinNs * static_cast<int64_t>(LoadSeries::kBatch);
  scan.warmup = Window::automatic;
  scan.w0_ns = begin + std::min(static_cast<int64_t>(cut) * batch_ns, loaded / 2);
}

void place_begin(PhaseScan& scan) {
  const Span& warmup = scan.plan.warmup;
  scan.w0_ns = scan.plan.at_ns;
  if (warmup.kind == Span::Kind::duration) {
    scan.warmup = Window::explicit_duration;
    scan.w0_ns += warmup.ns;
  } else if (warmup.kind == Span::Kind::count) {
    scan.warmup = Window::count;
    const int64_t start = nth_start(scan.starts, warmup.count);
    scan.w0_ns = start != kAbsent ? start : scan.w1_ns;
  } else if (warmup.kind == Span::Kind::automatic && scan.series && !scan.plan.unsteady &&
             !scan.closed_at_last_end) {
    place_automatic_begin(scan);
  }
  scan.w0_ns = std::min(scan.w0_ns, scan.w1_ns);
}

// From when on the load may be steady: while the first answers are being made, what is in flight rises in any
// case.
int64_t filled_ns(const PhaseScan& scan) {
  int64_t sum = 0;
  for (const auto& [start, took] : scan.earliest) sum += took;
  return scan.plan.at_ns + sum / std::max<int64_t>(static_cast<int64_t>(scan.earliest.size()), 1);
}

void judge_steadiness(PhaseScan& scan) {
  const std::vector<double> in_flight = scan.series->in_flight(scan.w1_ns);
  scan.settled = mser(in_flight).settled && mser(scan.series->ttft(scan.w1_ns)).settled &&
                 mser(scan.series->tokens(scan.w1_ns)).settled;
  const std::vector<double> bins = scan.series->in_flight_bins(scan.w1_ns);
  const int64_t from_ns = std::max(scan.w0_ns, filled_ns(scan)) - scan.plan.at_ns;
  const auto first = static_cast<size_t>((from_ns + LoadSeries::kBinNs - 1) / LoadSeries::kBinNs);
  if (first >= bins.size()) return;
  const Rise rise = rise_of(std::span(bins).subspan(first));
  scan.backlog_rise = rise.requests;
  scan.backlog_significant = rise.significant;
}

}  // namespace

void place_window(PhaseScan& scan, int64_t last_instant_ns) {
  place_end(scan, last_instant_ns);
  place_begin(scan);
  if (scan.series) judge_steadiness(scan);
  scan.series.reset();
  scan.starts = {};
}

}  // namespace tokometer

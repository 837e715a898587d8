#include "metrics/window_pass.hpp"

#include <algorithm>

namespace tokometer {

namespace {

constexpr size_t kMostWarnings = 100;

void widen(int64_t& first, int64_t& last, int64_t at) {
  if (at == kAbsent) return;
  first = first == kAbsent ? at : std::min(first, at);
  last = last == kAbsent ? at : std::max(last, at);
}

// S <= R <= X <= B <= V <= T1 <= Tn <= E, over those that are known.
bool in_order(const RequestRecord& r) {
  int64_t before = INT64_MIN;
  for (const int64_t at : {r.scheduled_ns, r.released_ns, r.sent_ns, r.first_byte_ns, r.first_event_ns,
                           r.first_token_ns, r.last_token_ns, r.end_ns}) {
    if (at == kAbsent) continue;
    if (at < before) return false;
    before = at;
  }
  return true;
}

void count(Counts& counts, const RequestRecord& r) {
  ++counts.planned;
  if (r.status == Status::not_issued)
    ++counts.not_issued;
  else
    ++counts.issued;
  if (r.status == Status::ok) ++counts.ok;
  if (r.status == Status::cancelled) ++counts.cancelled;
  if (r.status != Status::failed) return;
  ++counts.failed;
  if (r.cls.rfind("client.", 0) == 0) ++counts.client_failed;
}

void note_earliest(PhaseScan& scan, const RequestRecord& r) {
  constexpr size_t kEarliest = 8;  // few: with a queue each later one waits longer
  if (r.status != Status::ok || r.scheduled_ns == kAbsent || r.end_ns == kAbsent) return;
  auto& kept = scan.earliest;
  if (kept.size() == kEarliest && r.scheduled_ns >= kept.back().first) return;
  const std::pair entry{r.scheduled_ns, r.end_ns - r.scheduled_ns};
  kept.insert(std::upper_bound(kept.begin(), kept.end(), entry), entry);
  if (kept.size() > kEarliest) kept.pop_back();
}

}  // namespace

PhaseScan& WindowPass::scan_of(const std::string& workload, const std::string& phase) {
  if (last_scan_ != nullptr && last_scan_->workload == workload && last_scan_->phase == phase)
    return *last_scan_;
  for (auto& scan : scans_) {
    if (scan->workload == workload && scan->phase == phase) return *(last_scan_ = scan.get());
  }
  scans_.push_back(std::make_unique<PhaseScan>());
  last_scan_ = scans_.back().get();
  last_scan_->workload = workload;
  last_scan_->phase = phase;
  return *last_scan_;
}

void WindowPass::note_sequence(uint64_t seq) {
  highest_ = std::max(highest_, seq + 1);
  if (seq > 1'000'000 + 1'000 * distinct_) return;  // stays a hole: no memory for a number that far off
  if (seq >= seen_.size()) seen_.resize(std::max<size_t>(seq + 1, seen_.size() * 2));
  if (seen_[seq])
    ++repeated_;
  else
    ++distinct_;
  seen_[seq] = true;
}

uint64_t WindowPass::missing_sequence_numbers() const {
  return highest_ - distinct_ + repeated_;
}

void WindowPass::on_request(const RequestRecord& r) {
  note_sequence(r.seq);
  PhaseScan& scan = scan_of(r.workload, r.phase);
  count(scan.counts, r);
  if (!in_order(r)) ++scan.order_breaches;
  scan.has_sessions = scan.has_sessions || r.turn != kAbsent;
  widen(scan.first_s_ns, scan.last_s_ns, r.scheduled_ns);
  int64_t ignored = kAbsent;
  widen(scan.first_x_ns, ignored, r.sent_ns);
  if (r.status != Status::not_issued) widen(ignored, scan.last_e_ns, r.end_ns);
  if (r.end_ns != kAbsent) last_instant_ns_ = std::max(last_instant_ns_, r.end_ns);
  const bool counted = scan.plan.requests || scan.plan.warmup.kind == Span::Kind::count;
  if (counted && r.scheduled_ns != kAbsent) scan.starts.push_back(r.scheduled_ns);
  if (!scan.series) return;
  note_earliest(scan, r);
  events_.load(r);
  scan.series->add(r, events_.all());
}

void WindowPass::on_phase(const PhaseLine& line) {
  PhaseScan& scan = scan_of(line.workload, line.phase);
  last_instant_ns_ = std::max(last_instant_ns_, line.at_ns);
  switch (line.event) {
    case PhaseLine::Event::begin:
      scan.plan = line;
      scan.has_begin = true;
      if (line.measure) scan.series = std::make_unique<LoadSeries>(line.at_ns);
      break;
    case PhaseLine::Event::load_end:
      scan.load_end_ns = line.at_ns;
      if (line.duration_ns) scan.plan.duration_ns = line.duration_ns;
      break;
    case PhaseLine::Event::end:
      scan.end_ns = line.at_ns;
      break;
  }
}

void WindowPass::on_tick(const TickLine& line) {
  last_instant_ns_ = std::max(last_instant_ns_, line.at_ns);
  counters_ = line.totals;
}

void WindowPass::on_warn(const WarnLine& line) {
  if (warnings_.size() < kMostWarnings) warnings_.push_back(line);
}

void WindowPass::on_end(const EndLine& line) {
  has_end_ = true;
  end_reason_ = line.reason;
  counters_ = line.totals;
  last_instant_ns_ = std::max(last_instant_ns_, line.at_ns);
}

void WindowPass::place_windows() {
  for (auto& scan : scans_) {
    if (!scan->has_begin) {  // its begin line was lost: V2 says so, the requests are still reported
      scan->plan.workload = scan->workload;
      scan->plan.phase = scan->phase;
      scan->plan.at_ns = scan->first_s_ns == kAbsent ? 0 : scan->first_s_ns;
      scan->plan.warmup.kind = Span::Kind::none;
    }
    place_window(*scan, last_instant_ns_);
  }
}

}  // namespace tokometer

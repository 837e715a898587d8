#include "metrics/window_pass.hpp"

#include <algorithm>
#include <cmath>

#include "metrics/statistics.hpp"

namespace tokometer {

namespace {

constexpr size_t kMostWarnings = 100;
constexpr size_t kMostBins = 10'000'000;  // 23 days; a later instant is damage, not load

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
  if (r.status == Status::not_issued) ++counts.not_issued;
  else ++counts.issued;
  if (r.status == Status::ok) ++counts.ok;
  if (r.status == Status::cancelled) ++counts.cancelled;
  if (r.status != Status::failed) return;
  ++counts.failed;
  if (r.cls.rfind("client.", 0) == 0) ++counts.client_failed;
}

}  // namespace

LoadSeries::Bin* LoadSeries::bin_at(int64_t at_ns) {
  const auto bin = static_cast<size_t>(std::max<int64_t>(at_ns - begin_ns_, 0) / kBinNs);
  if (bin >= kMostBins) return nullptr;
  if (bin >= bins_.size()) bins_.resize(bin + 1);
  return &bins_[bin];
}

void LoadSeries::add(const RequestRecord& r, const std::vector<TokenEvent>& events) {
  // Not the failed: a few that hang until their time-out would look like a backlog, and V12 judges them.
  if (r.status != Status::failed && r.sent_ns != kAbsent && r.end_ns != kAbsent) add_in_flight(r.sent_ns, r.end_ns);
  if (r.status != Status::ok) return;
  if (r.first_token_ns != kAbsent && r.scheduled_ns != kAbsent) {
    if (Bin* bin = bin_at(r.scheduled_ns)) {
      bin->ttft_sum += static_cast<double>(r.first_token_ns - r.scheduled_ns);
      ++bin->ttft_count;
    }
  }
  add_tokens(r, events);
}

void LoadSeries::add_tokens(const RequestRecord& r, const std::vector<TokenEvent>& events) {
  if (events.empty() || r.first_token_ns == kAbsent) {
    const int64_t at = r.last_token_ns != kAbsent ? r.last_token_ns : r.end_ns;
    const int64_t tokens = output_tokens_of(r);
    if (at == kAbsent || tokens == kAbsent) return;
    if (Bin* bin = bin_at(at)) bin->tokens += static_cast<double>(tokens);
    return;
  }
  for (const TokenEvent& event : events) {
    if (Bin* bin = bin_at(r.first_token_ns + event.at_us * 1000)) bin->tokens += event.tokens;
  }
}

void LoadSeries::add_in_flight(int64_t from_ns, int64_t to_ns) {
  if (bin_at(to_ns) == nullptr) return;  // makes the bins
  const int64_t from = std::max<int64_t>(from_ns - begin_ns_, 0), to = std::max(to_ns - begin_ns_, from);
  const auto first = static_cast<size_t>(from / kBinNs), last = static_cast<size_t>(to / kBinNs);
  const auto bins = static_cast<double>(kBinNs);
  if (first == last) {
    bins_[first].part += static_cast<double>(to - from) / bins;
    return;
  }
  bins_[first].part += 1 - static_cast<double>(from % kBinNs) / bins;
  bins_[last].part += static_cast<double>(to % kBinNs) / bins;
  bins_[first + 1].whole += 1;
  bins_[last].whole -= 1;
}

size_t LoadSeries::whole_batches(int64_t until_ns) const {
  return static_cast<size_t>(std::max<int64_t>(until_ns - begin_ns_, 0) / (kBinNs * static_cast<int64_t>(kBatch)));
}

std::vector<double> LoadSeries::in_flight(int64_t until_ns) const {
  std::vector<double> means(whole_batches(until_ns), 0);
  double covering = 0;
  for (size_t i = 0; i < bins_.size() && i / kBatch < means.size(); ++i) {
    covering += bins_[i].whole;
    means[i / kBatch] += (covering + bins_[i].part) / static_cast<double>(kBatch);
  }
  return means;
}

std::vector<double> LoadSeries::ttft(int64_t until_ns) const {
  std::vector<double> means;
  size_t empty_head = 0;
  for (size_t batch = 0; batch < whole_batches(until_ns); ++batch) {
    double sum = 0, n = 0;
    for (size_t i = batch * kBatch; i < std::min((batch + 1) * kBatch, bins_.size()); ++i) {
      sum += bins_[i].ttft_sum;
      n += bins_[i].ttft_count;
    }
    if (n == 0 && means.size() == empty_head) ++empty_head;
    means.push_back(n > 0 ? sum / n : means.empty() ? 0 : means.back());
  }
  if (empty_head < means.size()) std::fill_n(means.begin(), empty_head, means[empty_head]);
  return means;
}

std::vector<double> LoadSeries::tokens(int64_t until_ns) const {
  std::vector<double> sums(whole_batches(until_ns), 0);
  for (size_t i = 0; i < bins_.size() && i / kBatch < sums.size(); ++i) sums[i / kBatch] += bins_[i].tokens;
  return sums;
}

PhaseScan& WindowPass::scan_of(const std::string& workload, const std::string& phase) {
  if (last_scan_ != nullptr && last_scan_->workload == workload && last_scan_->phase == phase) return *last_scan_;
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
  if (seen_[seq]) ++repeated_;
  else ++distinct_;
  seen_[seq] = true;
}

uint64_t WindowPass::missing_sequence_numbers() const { return highest_ - distinct_ + repeated_; }

void WindowPass::on_request(const RequestRecord& r) {
  note_sequence(r.seq);
  PhaseScan& scan = scan_of(r.workload, r.phase);
  count(scan.counts, r);
  if (!in_order(r)) ++scan.order_breaches;
  widen(scan.first_s_ns, scan.last_s_ns, r.scheduled_ns);
  int64_t ignored = kAbsent;
  widen(scan.first_x_ns, ignored, r.sent_ns);
  if (r.status != Status::not_issued) widen(ignored, scan.last_e_ns, r.end_ns);
  if (r.end_ns != kAbsent) last_instant_ns_ = std::max(last_instant_ns_, r.end_ns);
  const bool counted = scan.plan.requests || scan.plan.warmup.kind == Span::Kind::count;
  if (counted && r.scheduled_ns != kAbsent) scan.starts.push_back(r.scheduled_ns);
  if (!scan.series) return;
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
    case PhaseLine::Event::load_end: scan.load_end_ns = line.at_ns; break;
    case PhaseLine::Event::end: scan.end_ns = line.at_ns; break;
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
  if (scan.plan.requests && *scan.plan.requests > 0) {  // later ones belong to the cool-down
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
  } else if (warmup.kind == Span::Kind::automatic && scan.series && !scan.plan.unsteady && !scan.closed_at_last_end) {
    place_automatic_begin(scan);
  }
  scan.w0_ns = std::min(scan.w0_ns, scan.w1_ns);
}

// The rise of the backlog over the window: a line through 20 batches of the in-flight series.
void judge_steadiness(PhaseScan& scan) {
  constexpr size_t kBatches = 20;
  constexpr double kT99 = 2.878;        // Student t, 18 degrees of freedom, 99 % two-sided
  constexpr double kLeastShare = 0.05;  // a rise below 5 % of the mean, or one request, matters to nobody
  const std::vector<double> in_flight = scan.series->in_flight(scan.w1_ns);
  scan.settled = mser(in_flight).settled && mser(scan.series->ttft(scan.w1_ns)).settled &&
                 mser(scan.series->tokens(scan.w1_ns)).settled;
  const auto second = static_cast<size_t>((scan.w0_ns - scan.plan.at_ns + 999'999'999) / 1'000'000'000);
  if (second >= in_flight.size() || in_flight.size() - second < kBatches / 2) return;
  const std::span<const double> window = std::span(in_flight).subspan(second);
  std::vector<double> batches;
  const size_t parts = std::min(kBatches, window.size());
  for (size_t i = 0; i < parts; ++i) {
    const size_t from = i * window.size() / parts, to = (i + 1) * window.size() / parts;
    batches.push_back(mean_of(window.subspan(from, to - from)));
  }
  const Slope slope = slope_of(batches);
  scan.backlog_rise = slope.per_step * static_cast<double>(parts);
  scan.backlog_significant = slope.per_step > kT99 * slope.error && scan.backlog_rise > 1 &&
                             scan.backlog_rise > kLeastShare * mean_of(batches);
}

}  // namespace

void WindowPass::place_windows() {
  for (auto& scan : scans_) {
    if (!scan->has_begin) {  // its begin line was lost: V2 says so, the requests are still reported
      scan->plan.workload = scan->workload;
      scan->plan.phase = scan->phase;
      scan->plan.at_ns = scan->first_s_ns == kAbsent ? 0 : scan->first_s_ns;
      scan->plan.warmup.kind = Span::Kind::none;
    }
    place_end(*scan, last_instant_ns_);
    place_begin(*scan);
    if (scan->series) judge_steadiness(*scan);
    scan->series.reset();
    scan->starts = {};
  }
}

}  // namespace tokometer

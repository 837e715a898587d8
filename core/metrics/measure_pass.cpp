#include "metrics/measure_pass.hpp"

#include <algorithm>
#include <cmath>

namespace tokometer {

struct MeasurePass::Request {
  const RequestRecord& r;
  int64_t tokens;  // N, or kAbsent
  int64_t tpot_ns = kAbsent;
  int64_t longest_gap_ns = kAbsent;
  int64_t itl_p99_ns = kAbsent;
  bool good = false;
};

namespace {

void add_at(WindowSum& sum, const PhaseScan& scan, int64_t at_ns, double amount) {
  if (at_ns == kAbsent || at_ns < scan.w0_ns || at_ns >= scan.w1_ns) return;
  sum.total += amount;
  const double part = static_cast<double>(at_ns - scan.w0_ns) / static_cast<double>(scan.w1_ns - scan.w0_ns);
  sum.parts[std::min(static_cast<size_t>(part * kWindowBatches), kWindowBatches - 1)] += amount;
}

// When a request left, for the window's sums. A window that a count limits closes with the last S: what was
// scheduled there and left a moment later counts as left inside, since nothing comes after it that could
// balance it.
int64_t sent_in_window_ns(const PhaseScan& scan, const RequestRecord& r) {
  const bool by_count = !scan.plan.duration_ns && r.scheduled_ns < scan.w1_ns;
  return by_count ? std::min(r.sent_ns, scan.w1_ns - 1) : r.sent_ns;
}

// How much of [from, to) lies in the window.
int64_t overlap_ns(const PhaseScan& scan, int64_t from, int64_t to) {
  if (from == kAbsent || to == kAbsent) return 0;
  return std::max<int64_t>(0, std::min(to, scan.w1_ns) - std::max(from, scan.w0_ns));
}

// E of a request that never was sent does not put it into the system.
bool was_in_system(const RequestRecord& r) {
  return r.status != Status::not_issued;
}

// N - k1 tokens came in Tn - T1. k1 is stated, or N / events.
int64_t tpot_of(const RequestRecord& r, const TokenEvents& events, int64_t tokens) {
  if (r.first_token_ns == kAbsent || r.last_token_ns == kAbsent || tokens == kAbsent) return kAbsent;
  double first = events.spread();
  if (!events.all().empty())
    first = events.all().front().tokens;
  else if (r.first_event_tokens != kAbsent)
    first = static_cast<double>(r.first_event_tokens);
  const double rest = static_cast<double>(tokens) - first;
  if (rest <= 1e-9 * static_cast<double>(tokens)) return kAbsent;
  return std::llround(static_cast<double>(r.last_token_ns - r.first_token_ns) / rest);
}

void add_counts(Counts& counts, const RequestRecord& r) {
  ++counts.planned;
  ++(r.status == Status::not_issued ? counts.not_issued : counts.issued);
  counts.ok += r.status == Status::ok;
  counts.cancelled += r.status == Status::cancelled;
  counts.failed += r.status == Status::failed;
  counts.client_failed += r.status == Status::failed && r.cls.rfind("client.", 0) == 0;
}

void add_tokens_to(TokenCounts& t, const RequestRecord& r, int64_t output) {
  ++t.requests;
  if (r.prompt_tokens != kAbsent) ++t.counted_prompt, t.prompt += r.prompt_tokens;
  if (output != kAbsent) ++t.counted_output, t.output += output;
  if (r.reasoning_tokens != kAbsent) t.reasoning += r.reasoning_tokens;
  if (r.cached_tokens != kAbsent) t.cached += r.cached_tokens;
  if (r.asked_output_tokens != kAbsent) ++t.counted_asked, t.asked += r.asked_output_tokens;
}

bool within(const std::optional<int64_t>& limit, int64_t value) {
  return !limit || (value != kAbsent && value <= *limit);
}

}  // namespace

void GapPool::add(int64_t gap_ns, uint64_t count) {
  histogram.record(gap_ns, count);
  const auto gap = static_cast<double>(gap_ns), times = static_cast<double>(count);
  sum += gap * times;
  squares += gap * gap * times;
  min = std::min(min, gap_ns);
  max = std::max(max, gap_ns);
}

void GapPool::merge(const GapPool& other) {
  histogram.merge(other.histogram);
  sum += other.sum;
  squares += other.squares;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
}

MeasurePass::MeasurePass(const Manifest& manifest, const std::vector<std::unique_ptr<PhaseScan>>& scans) {
  for (const auto& scan : scans) {
    if (!scan->plan.measure) continue;
    figures_.push_back(std::make_unique<PhaseFigures>(*scan, manifest.slo_of(scan->workload)));
  }
}

PhaseFigures* MeasurePass::figures_of(const RequestRecord& r) {
  const auto fits = [&](const PhaseFigures& f) {
    return f.scan.workload == r.workload && f.scan.phase == r.phase;
  };
  if (last_ != nullptr && fits(*last_)) return last_;
  for (auto& f : figures_) {
    if (fits(*f)) return last_ = f.get();
  }
  return nullptr;
}

MeasurePass::Request MeasurePass::derive(const RequestRecord& r, const Manifest::Slo& slo) {
  Request request{r, output_tokens_of(r)};
  events_.load(r);
  gaps_.clear();
  walk_(events_.all(), [this](int64_t gap_us, double k) { gaps_.emplace_back(gap_us * 1000, k); });
  request.tpot_ns = tpot_of(r, events_, request.tokens);
  if (!gaps_.empty()) {
    sorted_gaps_.clear();
    for (const auto& gap : gaps_) sorted_gaps_.push_back(gap.first);
    request.longest_gap_ns = *std::max_element(sorted_gaps_.begin(), sorted_gaps_.end());
    if (slo.itl_p99_ns) {
      const auto rank = static_cast<std::ptrdiff_t>(nearest_rank(990, sorted_gaps_.size()) - 1);
      std::nth_element(sorted_gaps_.begin(), sorted_gaps_.begin() + rank, sorted_gaps_.end());
      request.itl_p99_ns = sorted_gaps_[static_cast<size_t>(rank)];
    }
  }
  request.good = is_good(request, slo);
  return request;
}

// A limit on something that a short answer cannot have (no second token: no TPOT, no gap) is met; a TTFT
// limit without a TTFT is not.
bool MeasurePass::is_good(const Request& request, const Manifest::Slo& slo) {
  const RequestRecord& r = request.r;
  if (!slo.any() || r.status != Status::ok || r.scheduled_ns == kAbsent) return false;
  const auto since_s = [&](int64_t at) { return at == kAbsent ? kAbsent : at - r.scheduled_ns; };
  if (!within(slo.e2e_ns, since_s(r.end_ns)) || !within(slo.ttft_ns, since_s(r.first_token_ns))) return false;
  if (request.tpot_ns != kAbsent && !within(slo.tpot_ns, request.tpot_ns)) return false;
  return request.itl_p99_ns == kAbsent || within(slo.itl_p99_ns, request.itl_p99_ns);
}

void MeasurePass::on_request(const RequestRecord& r) {
  if (r.scheduled_ns == kAbsent) return;  // counted by the first pass; no figure can use it
  PhaseFigures* own = figures_of(r);
  static const Manifest::Slo kNone;  // nobody asks whether a request of an unmeasured phase was good
  const Request request = derive(r, own != nullptr ? own->slo : kNone);
  if (own != nullptr) add_to_phase(*own, request);
  for (auto& f : figures_) {
    if (f->scan.workload != r.workload) continue;
    add_arrivals(*f, request);
    if (f.get() == own || !was_in_system(r)) continue;
    if (overlap_ns(f->scan, r.sent_ns, r.end_ns) > 0) f->foreign_wire.emplace_back(r.sent_ns, r.end_ns);
    if (overlap_ns(f->scan, r.scheduled_ns, r.end_ns) > 0)
      f->foreign_system.emplace_back(r.scheduled_ns, r.end_ns);
  }
}

void MeasurePass::add_to_phase(PhaseFigures& f, const Request& request) {
  const RequestRecord& r = request.r;
  const bool in_window = r.scheduled_ns >= f.scan.w0_ns && r.scheduled_ns < f.scan.w1_ns;
  f.rows.add(r, {in_window, request.good, request.tpot_ns, request.longest_gap_ns});
  f.sessions += r.turn == 0;
  f.sessions_completed += r.turn != kAbsent && r.turn + 1 == r.turns && r.status == Status::ok;
  if (in_window) add_window_request(f, request);
  if (r.status == Status::ok) add_gaps(f, request, in_window);
  add_whole(f, request);
}

void MeasurePass::add_window_request(PhaseFigures& f, const Request& request) {
  const RequestRecord& r = request.r;
  add_counts(f.counts, r);
  f.routes.add(r, request.tokens, request.tpot_ns);
  add_at(f.good, f.scan, r.scheduled_ns, request.good ? 1 : 0);
  if (f.scan.load_end_ns != kAbsent && r.end_ns != kAbsent && r.status != Status::not_issued) {
    f.ended_after_load += r.end_ns > f.scan.load_end_ns;
  }
  f.held += r.held_by_cap_ns > 1'000'000;
  f.blocked += r.held_by_cap_ns > 0 && f.scan.plan.overload == "block";
  f.dropped += r.status == Status::not_issued && r.cls == "overload";
  if (r.status != Status::ok) add_error(f, r);
  if (r.status == Status::failed) add_tokens_to(f.failed_tokens, r, request.tokens);
  if (r.status == Status::cancelled) add_tokens_to(f.cancelled_tokens, r, request.tokens);
  if (!r.prompt_from_dataset && r.prompt_tokens != kAbsent && r.cached_tokens != kAbsent) {
    f.usage_prompt += r.prompt_tokens;
    f.usage_cached += r.cached_tokens;
  }
  if (r.status != Status::ok) return;
  add_tokens_to(f.ok_tokens, r, request.tokens);
  ++f.sources[static_cast<size_t>(r.token_source)];
  if (r.token_source == TokenSource::usage && r.per_event_tokens != kAbsent && r.output_tokens != kAbsent) {
    f.both_usage += r.output_tokens;
    f.both_per_event += r.per_event_tokens;
  }
  f.short_output += (r.flags & kFlagShortOutput) != 0;
  f.wrong_model += (r.flags & kFlagWrongModel) != 0;
  f.reasoning += r.reasoning_tokens != kAbsent && r.reasoning_tokens > 0;
  if (r.events > 0 && request.tokens != kAbsent) {
    f.token_events += r.events;
    f.event_tokens += static_cast<double>(request.tokens);
  }
}

void MeasurePass::add_gaps(PhaseFigures& f, const Request& request, bool in_window) {
  if (gaps_.empty()) return;
  if (!in_window) {
    for (const auto& gap : gaps_) f.itl_outside.add(gap.first, 1);
    return;
  }
  const double part = static_cast<double>(request.r.scheduled_ns - f.scan.w0_ns) /
                      static_cast<double>(f.scan.w1_ns - f.scan.w0_ns);
  auto& batch = f.itl_parts[std::min(static_cast<size_t>(part * kWindowBatches), kWindowBatches - 1)];
  if (!batch) batch = std::make_unique<Histogram>();
  for (const auto& [gap_ns, k] : gaps_) {
    f.itl.add(gap_ns, 1);
    batch->record(gap_ns);
    if (k == 1)
      f.itl_per_token.add(gap_ns, 1);
    else if (k > 0)
      f.itl_per_token.add(std::llround(static_cast<double>(gap_ns) / k),
                          std::max<uint64_t>(1, static_cast<uint64_t>(std::llround(k))));
  }
}

void MeasurePass::add_error(PhaseFigures& f, const RequestRecord& r) {
  ErrorFigures& error = f.errors[{r.status, r.cls}];
  ++error.count;
  if (error.message.empty()) error.message = r.error;
  if (r.end_ns != kAbsent) error.times_ns.push_back(r.end_ns - r.scheduled_ns);
}

void MeasurePass::add_arrivals(PhaseFigures& f, const Request& request) {
  const RequestRecord& r = request.r;
  const PhaseScan& scan = f.scan;
  const bool ok = r.status == Status::ok;
  const int64_t sent_ns = sent_in_window_ns(scan, r);
  add_at(f.offered, scan, r.scheduled_ns, 1);
  add_at(f.sent, scan, sent_ns, 1);
  if (ok) add_at(f.completed, scan, r.end_ns, 1);
  const bool held = r.held_by_cap_ns > 0;
  if (!held && r.sent_ns != kAbsent) {
    f.sendable_s += r.scheduled_ns >= scan.w0_ns && r.scheduled_ns < scan.w1_ns;
    f.sendable_x += sent_ns >= scan.w0_ns && sent_ns < scan.w1_ns;
  }
  if (was_in_system(r)) {
    f.wire_ns += static_cast<double>(overlap_ns(scan, r.sent_ns, r.end_ns));
    f.system_ns += static_cast<double>(overlap_ns(scan, r.scheduled_ns, r.end_ns));
  }
  if (ok && r.prompt_tokens != kAbsent) {
    add_at(f.input, scan, r.first_token_ns != kAbsent ? r.first_token_ns : r.end_ns,
           static_cast<double>(r.prompt_tokens));
  }
  add_tokens(f, request);
}

// Each token at its own instant. Without a timeline the tokens after the first event are spread evenly up to
// Tn; a whole reply brings all of them at E.
void MeasurePass::add_tokens(PhaseFigures& f, const Request& request) {
  const RequestRecord& r = request.r;
  if (request.tokens == kAbsent || request.tokens <= 0 || !was_in_system(r)) return;
  WindowSum& sum = r.status == Status::ok ? f.output : f.lost;
  if (!events_.all().empty() && r.first_token_ns != kAbsent) {
    for (const TokenEvent& event : events_.all())
      add_at(sum, f.scan, r.first_token_ns + event.at_us * 1000, event.tokens);
    return;
  }
  const auto tokens = static_cast<double>(request.tokens);
  if (r.first_token_ns == kAbsent || r.last_token_ns == kAbsent) {
    add_at(sum, f.scan, r.end_ns, tokens);
    return;
  }
  const int64_t events = std::max<int64_t>(r.events, 1);
  const double span = static_cast<double>(r.last_token_ns - r.first_token_ns);
  for (int64_t i = 0; i < events; ++i) {
    const double share = events > 1 ? static_cast<double>(i) / static_cast<double>(events - 1) : 0;
    add_at(sum, f.scan, r.first_token_ns + std::llround(span * share), tokens / static_cast<double>(events));
  }
}

namespace {

constexpr size_t kMostSeconds = 10'000'000;

void add_second(std::vector<double>& seconds, int64_t since_ns, double amount) {
  const auto second = static_cast<size_t>(std::max<int64_t>(since_ns, 0) / 1'000'000'000);
  if (second >= kMostSeconds) return;
  if (second >= seconds.size()) seconds.resize(second + 1);
  seconds[second] += amount;
}

// vLLM counts a request as active in every second that it touches.
void add_active(std::vector<int64_t>& changes, int64_t from_ns, int64_t to_ns) {
  const auto first = static_cast<size_t>(std::max<int64_t>(from_ns, 0) / 1'000'000'000);
  const auto last = static_cast<size_t>(std::max<int64_t>(to_ns, 0) / 1'000'000'000);
  if (last >= kMostSeconds) return;
  if (last + 1 >= changes.size()) changes.resize(last + 2);
  ++changes[first];
  --changes[last + 1];
}

}  // namespace

void MeasurePass::add_whole(PhaseFigures& f, const Request& request) {
  const RequestRecord& r = request.r;
  const int64_t begin = f.scan.first_x_ns;
  f.whole_sent += r.sent_ns != kAbsent;
  f.whole_good += request.good;
  if (r.status == Status::failed || r.status == Status::cancelled)
    add_tokens_to(f.whole_lost, r, request.tokens);
  if (r.sent_ns != kAbsent && r.end_ns != kAbsent)
    f.whole_wire_ns += static_cast<double>(r.end_ns - r.sent_ns);
  if (r.status != Status::ok) return;
  add_tokens_to(f.whole_ok, r, request.tokens);
  if (r.sent_ns == kAbsent || r.end_ns == kAbsent || begin == kAbsent) return;
  add_active(f.active_by_second, r.sent_ns - begin, r.end_ns - begin);
  if (events_.all().empty() || r.first_token_ns == kAbsent) {
    if (request.tokens != kAbsent)
      add_second(f.tokens_by_second, r.end_ns - begin, static_cast<double>(request.tokens));
    return;
  }
  for (const TokenEvent& event : events_.all()) {
    add_second(f.tokens_by_second, r.first_token_ns - begin + event.at_us * 1000, event.tokens);
  }
}

void MeasurePass::on_tick(const TickLine& line) {
  for (auto& f : figures_) f->client.add(line, f->scan.w0_ns, f->scan.w1_ns);
}

}  // namespace tokometer

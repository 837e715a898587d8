#include "metrics/phase_figures.hpp"

#include <algorithm>
#include <cmath>

#include "metrics/catalogue.hpp"
#include "metrics/distributions.hpp"
#include "metrics/gate.hpp"
#include "metrics/statistics.hpp"

namespace tokometer {
namespace {

void put(std::vector<Scalar>& scalars, std::string_view id, std::variant<int64_t, double> value,
         std::optional<std::pair<double, double>> ci95 = std::nullopt) {
  const MetricInfo* info = find_scalar_info(id);
  scalars.push_back(
      {std::string(info->id), std::string(info->unit), std::string(info->definition), value, ci95});
}

void put_count(std::vector<Scalar>& scalars, std::string_view id, uint64_t value) {
  put(scalars, id, static_cast<int64_t>(value));
}

// A sum over the window as a rate, with the interval of its twentieths.
void put_rate(std::vector<Scalar>& scalars, std::string_view id, const WindowSum& sum, double window_s) {
  Batches rates = sum.parts;
  for (double& rate : rates) rate *= static_cast<double>(kWindowBatches) / window_s;
  put(scalars, id, sum.total / window_s, sum.total > 0 ? batch_interval(rates) : std::nullopt);
}

WindowSum operator+(WindowSum a, const WindowSum& b) {
  a.total += b.total;
  for (size_t i = 0; i < kWindowBatches; ++i) a.parts[i] += b.parts[i];
  return a;
}

// Highest number of intervals that cover one instant of the window. An end and a start at one instant do not
// overlap.
int64_t peak_of(const PhaseFigures& f, bool from_schedule) {
  std::vector<int64_t> starts, ends;
  const auto add = [&](int64_t from, int64_t to) {
    if (from == kAbsent || to == kAbsent || to <= f.scan.w0_ns || from >= f.scan.w1_ns || to <= from) return;
    starts.push_back(std::max(from, f.scan.w0_ns));
    ends.push_back(to);
  };
  for (size_t row = 0; row < f.rows.size(); ++row) {
    if (f.rows.status(row) == Status::not_issued) continue;
    add(from_schedule ? f.rows.s_ns(row) : f.rows.x_ns(row), f.rows.e_ns(row));
  }
  for (const auto& [from, to] : from_schedule ? f.foreign_system : f.foreign_wire) add(from, to);
  std::sort(starts.begin(), starts.end());
  std::sort(ends.begin(), ends.end());
  int64_t now = 0, peak = 0;
  for (size_t start = 0, end = 0; start < starts.size(); ++start) {
    while (ends[end] <= starts[start]) --now, ++end;
    peak = std::max(peak, ++now);
  }
  return peak;
}

void put_counts(std::vector<Scalar>& scalars, const Counts& c) {
  put_count(scalars, "planned", c.planned);
  put_count(scalars, "issued", c.issued);
  put_count(scalars, "not_issued", c.not_issued);
  put_count(scalars, "ok", c.ok);
  put_count(scalars, "failed", c.failed);
  put_count(scalars, "cancelled", c.cancelled);
  const uint64_t judged = c.ok + c.failed - c.client_failed;
  if (judged != 0)
    put(scalars, "error_ratio",
        static_cast<double>(c.failed - c.client_failed) / static_cast<double>(judged));
}

void put_window(std::vector<Scalar>& scalars, const PhaseFigures& f) {
  const double window_s = static_cast<double>(f.scan.w1_ns - f.scan.w0_ns) / 1e9;
  if (window_s <= 0) return;
  put_rate(scalars, "offered_rate", f.offered, window_s);
  put_rate(scalars, "sent_rate", f.sent, window_s);
  put_rate(scalars, "completed_rate", f.completed, window_s);
  put_rate(scalars, "output_tokens_per_s", f.output, window_s);
  put_rate(scalars, "input_tokens_per_s", f.input, window_s);
  put_rate(scalars, "total_tokens_per_s", f.output + f.input, window_s);
  put_rate(scalars, "lost_tokens_per_s", f.lost, window_s);
  if (f.slo.any()) {
    put_rate(scalars, "goodput_rate", f.good, window_s);
    if (f.counts.planned != 0)
      put(scalars, "goodput_ratio", f.good.total / static_cast<double>(f.counts.planned));
  }
  put(scalars, "concurrency_wire", f.wire_ns / 1e9 / window_s);
  put(scalars, "concurrency_wire_peak", peak_of(f, false));
  put(scalars, "concurrency_system", f.system_ns / 1e9 / window_s);
  put(scalars, "concurrency_system_peak", peak_of(f, true));
  put(scalars, "window", window_s);
}

double whole_seconds(const PhaseFigures& f) {
  if (f.scan.first_x_ns == kAbsent || f.scan.last_e_ns == kAbsent) return 0;
  return static_cast<double>(f.scan.last_e_ns - f.scan.first_x_ns) / 1e9;
}

void put_whole(std::vector<Scalar>& scalars, const PhaseFigures& f) {
  const double duration_s = whole_seconds(f);
  if (duration_s <= 0) return;
  const auto rate = [&](std::string_view id, double sum) { put(scalars, id, sum / duration_s); };
  rate("whole.sent_rate", static_cast<double>(f.whole_sent));
  rate("whole.completed_rate", static_cast<double>(f.whole_ok.requests));
  rate("whole.output_tokens_per_s", static_cast<double>(f.whole_ok.output));
  rate("whole.input_tokens_per_s", static_cast<double>(f.whole_ok.prompt));
  rate("whole.total_tokens_per_s", static_cast<double>(f.whole_ok.output + f.whole_ok.prompt));
  rate("whole.lost_tokens_per_s", static_cast<double>(f.whole_lost.output));
  if (f.slo.any()) {
    rate("whole.goodput_rate", static_cast<double>(f.whole_good));
    if (f.scan.counts.planned != 0) {
      put(scalars, "whole.goodput_ratio",
          static_cast<double>(f.whole_good) / static_cast<double>(f.scan.counts.planned));
    }
  }
  rate("whole.concurrency_wire", f.whole_wire_ns / 1e9);
  put(scalars, "whole.duration", duration_s);
}

std::vector<ErrorRow> error_rows(PhaseFigures& f) {
  std::vector<ErrorRow> rows;
  for (auto& [key, error] : f.errors) {
    ErrorRow row{std::string(to_string(key.first)),
                 key.second,
                 error.count,
                 static_cast<double>(error.count) / static_cast<double>(f.counts.planned),
                 error.message,
                 {},
                 {}};
    if (!error.times_ns.empty()) {
      std::sort(error.times_ns.begin(), error.times_ns.end());
      row.time_to_failure_p50_ns = error.times_ns[nearest_rank(500, error.times_ns.size()) - 1];
      row.time_to_failure_max_ns = error.times_ns.back();
    }
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ErrorRow& a, const ErrorRow& b) { return a.count > b.count; });
  return rows;
}

// One value a row, in ns; a negative one: this request has none.
template <class F>
VllmFigures::Row vllm_row(const RequestRows& rows, F&& value_of) {
  std::vector<double> values;
  for (size_t row = 0; row < rows.size(); ++row) {
    const double value = rows.ok(row) && rows.e2e_sent(row) != kAbsent ? value_of(row) : -1;
    if (value >= 0) values.push_back(value);
  }
  VllmFigures::Row figures;
  figures.count = values.size();
  if (values.empty()) return figures;
  std::sort(values.begin(), values.end());
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  figures.mean_ms = mean / 1e6;
  figures.std_ms =
      std::sqrt(squares / static_cast<double>(values.size())) / 1e6;  // numpy.std: of the population
  figures.median_ms = interpolated_percentile(values, 50) / 1e6;
  figures.p99_ms = interpolated_percentile(values, 99) / 1e6;
  return figures;
}

VllmFigures::Row vllm_row(const GapPool& pool) {
  VllmFigures::Row row;
  row.count = pool.count();
  if (row.count == 0) return row;
  const auto n = static_cast<double>(row.count);
  row.mean_ms = pool.sum / n / 1e6;
  row.std_ms = std::sqrt(std::max(0.0, pool.squares / n - pool.sum / n * pool.sum / n)) / 1e6;
  row.median_ms = static_cast<double>(*pool.histogram.percentile(500)) / 1e6;
  row.p99_ms = static_cast<double>(*pool.histogram.percentile(990)) / 1e6;
  return row;
}

// Whole phase, from send, TPOT = (E2E - TTFT) / (N - 1).
VllmFigures vllm_figures(PhaseFigures& f) {
  VllmFigures v;
  v.completed = f.whole_ok.requests;
  v.failed = f.scan.counts.planned - f.whole_ok.requests;
  v.duration_s = whole_seconds(f);
  v.input_tokens = f.whole_ok.prompt, v.output_tokens = f.whole_ok.output, v.good = f.whole_good;
  for (const double tokens : f.tokens_by_second)
    v.peak_output_tokens_per_s = std::max(v.peak_output_tokens_per_s, tokens);
  int64_t active = 0;
  for (const int64_t change : f.active_by_second) {
    active += change;
    v.peak_concurrent = std::max(v.peak_concurrent, static_cast<uint64_t>(active));
  }
  const RequestRows& rows = f.rows;
  v.e2e = vllm_row(rows, [&](size_t row) { return static_cast<double>(rows.e2e_sent(row)); });
  v.ttft = vllm_row(rows, [&](size_t row) { return static_cast<double>(rows.ttft_sent(row)); });
  v.tpot = vllm_row(rows, [&](size_t row) {
    const int64_t first = rows.ttft_sent(row), tokens = rows.tokens(row);
    if (first == kAbsent || tokens == kAbsent || tokens <= 1) return -1.0;
    return static_cast<double>(rows.e2e_sent(row) - first) / static_cast<double>(tokens - 1);
  });
  GapPool gaps = std::move(f.itl_outside);
  gaps.merge(f.itl);
  v.itl = vllm_row(gaps);
  return v;
}

}  // namespace

PhaseSummary summarize_phase(PhaseFigures& f, const Manifest& manifest) {
  PhaseSummary s;
  const PhaseScan& scan = f.scan;
  s.workload = scan.workload, s.phase = scan.phase, s.plan = scan.plan;
  s.w0_ns = scan.w0_ns, s.w1_ns = scan.w1_ns, s.warmup = scan.warmup;
  s.closed_at_last_end = scan.closed_at_last_end;
  s.cooled_down = scan.load_end_ns != kAbsent && scan.load_end_ns > scan.w1_ns;
  s.ended_after_load = f.ended_after_load;
  s.counts = f.counts, s.phase_counts = scan.counts;
  s.vllm = vllm_figures(f);  // before the pools are taken
  add_distributions(f, s);
  add_turns(f, s);
  put_counts(s.scalars, f.counts);
  put_window(s.scalars, f);
  put_whole(s.scalars, f);
  s.errors = error_rows(f);
  s.routes = f.routes.rows();
  s.ok_tokens = f.ok_tokens, s.failed_tokens = f.failed_tokens, s.cancelled_tokens = f.cancelled_tokens;
  s.sources = f.sources;
  if (f.token_events > 0) s.mean_tokens_per_event = f.event_tokens / static_cast<double>(f.token_events);
  s.good = static_cast<uint64_t>(f.good.total);
  s.short_output = f.short_output, s.wrong_model = f.wrong_model;
  s.gates = evaluate_gates(manifest, s, f.rows);
  const Scalar* errors = s.find_scalar("error_ratio");
  s.over = (s.plan.open_loop && scan.backlog_significant) ||
           (errors != nullptr && errors->number() > manifest.error_budget);
  return s;
}

}  // namespace tokometer

// summary.json and histograms.json: fixed key order, shortest numbers that read back the same, no null, no
// NaN. What is absent has no key. Readers check schema_version; any change of form raises it.
#include <tokometer/json.hpp>

#include "report/json_lines.hpp"
#include "report/report.hpp"

namespace tokometer {
namespace {

using tkm::JsonWriter;

// Whole numbers stay whole.
void put_number(JsonWriter& json, double value, bool integer) {
  if (integer)
    json.value(static_cast<int64_t>(value));
  else
    json.value(value);
}

void put_pair(JsonWriter& json, const std::pair<double, double>& pair, bool integer) {
  json.begin_array();
  put_number(json, pair.first, integer);
  put_number(json, pair.second, integer);
  json.end_array();
}

// A number, "+inf", or {"at_least": number}.
void put_adjusted(JsonWriter& json, const Adjusted& value, bool integer) {
  if (value.kind == Adjusted::Kind::infinite) {
    json.value("+inf");
  } else if (value.kind == Adjusted::Kind::value) {
    put_number(json, value.value, integer);
  } else {
    json.begin_object().key("at_least");
    put_number(json, value.value, integer);
    json.end_object();
  }
}

void put_adjusted_block(JsonWriter& json, const Distribution& d) {
  json.key("adjusted").begin_object().member("count", d.adjusted_count);
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    json.key(kPercentiles[i].id);
    put_adjusted(json, (*d.adjusted)[i], d.integer);
  }
  json.key("max");
  put_adjusted(json, *d.adjusted_max, d.integer);
  json.end_object();
}

void put_statistics(JsonWriter& json, const Distribution& d) {
  json.member("mean", d.mean).member("stddev", d.stddev).key("min");
  put_number(json, d.min, d.integer);
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    json.key(kPercentiles[i].id);
    put_number(json, d.percentiles[i], d.integer);
  }
  json.key("max");
  put_number(json, d.max, d.integer);
}

void put_intervals(JsonWriter& json, const Distribution& d) {
  json.key("ci95").begin_object();
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    if (!d.ci95[i]) continue;
    json.key(kPercentiles[i].id);
    put_pair(json, *d.ci95[i], d.integer && !d.pooled);  // pooled: batch means, no order statistics
  }
  json.end_object();
  if (d.pooled) return;
  json.key("n_eff").begin_object();
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    if (d.ci95[i]) json.member(kPercentiles[i].id, d.n_eff[i]);
  }
  json.end_object();
}

void put_marks(JsonWriter& json, const Distribution& d) {
  json.key("needs_n").begin_object();
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    if (d.below_smallest_n(i)) json.member(kPercentiles[i].id, kPercentiles[i].smallest_n);
  }
  json.end_object();
}

void put_distribution(JsonWriter& json, const Distribution& d) {
  json.key(d.id)
      .begin_object()
      .member("unit", d.unit)
      .member("definition", d.definition)
      .member("count", d.count);
  if (d.count != 0) {
    put_statistics(json, d);
    put_intervals(json, d);
    put_marks(json, d);
  }
  if (d.adjusted) put_adjusted_block(json, d);
  json.end_object();
}

void put_scalar(JsonWriter& json, const Scalar& s) {
  json.key(s.id).begin_object().member("unit", s.unit).member("definition", s.definition).key("value");
  std::visit([&](auto number) { json.value(number); }, s.value);
  if (s.ci95) {
    json.key("ci95");
    put_pair(json, *s.ci95, false);
  }
  json.end_object();
}

void put_counts(JsonWriter& json, std::string_view key, const Counts& c) {
  json.key(key)
      .begin_object()
      .member("planned", c.planned)
      .member("issued", c.issued)
      .member("not_issued", c.not_issued);
  json.member("ok", c.ok).member("failed", c.failed).member("cancelled", c.cancelled).end_object();
}

void put_window(JsonWriter& json, const PhaseSummary& p) {
  json.key("window").begin_object().member("begin_ns", p.w0_ns).member("end_ns", p.w1_ns);
  json.member("warmup", to_string(p.warmup)).member("warmup_ns", p.w0_ns - p.plan.at_ns);
  json.member("cooled_down", p.cooled_down).member("ended_after_load", p.ended_after_load);
  json.member("closed_at_last_end", p.closed_at_last_end).end_object();
}

void put_plan(JsonWriter& json, const PhaseSummary& p) {
  json.member("workload", p.workload)
      .member("phase", p.phase)
      .member("loop", p.plan.open_loop ? "open" : "closed");
  json.member("load", p.plan.load).member("headline", p.plan.open_loop ? "from schedule" : "from send");
  if (p.plan.rate_per_s) json.member("rate_per_s", *p.plan.rate_per_s);
  if (p.plan.users) json.member("users", *p.plan.users);
  if (p.plan.max_in_flight) json.member("max_in_flight", *p.plan.max_in_flight);
  if (p.plan.value) json.member("value", *p.plan.value);
  if (p.over) json.member("over", true);
}

void put_token_counts(JsonWriter& json, std::string_view key, const TokenCounts& t) {
  const auto mean = [&](const char* name, int64_t sum, uint64_t n) {
    if (n != 0) json.member(name, static_cast<double>(sum) / static_cast<double>(n));
  };
  json.key(key).begin_object().member("requests", t.requests);
  if (t.counted_prompt != 0) json.member("prompt_total", t.prompt);
  mean("prompt_mean", t.prompt, t.counted_prompt);
  if (t.counted_output != 0) json.member("output_total", t.output);
  mean("output_mean", t.output, t.counted_output);
  mean("asked_output_mean", t.asked, t.counted_asked);
  json.member("reasoning_total", t.reasoning).member("cached_total", t.cached).end_object();
}

void put_tokens(JsonWriter& json, const PhaseSummary& p) {
  json.key("tokens").begin_object();
  put_token_counts(json, "ok", p.ok_tokens);
  put_token_counts(json, "failed", p.failed_tokens);
  put_token_counts(json, "cancelled", p.cancelled_tokens);
  json.key("sources").begin_object();
  for (size_t i = 1; i < p.sources.size(); ++i) {
    if (p.sources[i] != 0) json.member(to_string(static_cast<TokenSource>(i)), p.sources[i]);
  }
  json.end_object().member("mean_per_event", p.mean_tokens_per_event).member("short_output", p.short_output);
  json.member("wrong_model", p.wrong_model).end_object();
}

void put_errors(JsonWriter& json, const PhaseSummary& p) {
  json.key("errors").begin_array();
  for (const ErrorRow& e : p.errors) {
    json.begin_object()
        .member("status", e.status)
        .member("class", e.cls)
        .member("count", e.count)
        .member("share", e.share);
    if (!e.message.empty()) json.member("message", e.message);
    if (e.time_to_failure_p50_ns) json.member("time_to_failure_p50_ns", *e.time_to_failure_p50_ns);
    if (e.time_to_failure_max_ns) json.member("time_to_failure_max_ns", *e.time_to_failure_max_ns);
    json.end_object();
  }
  json.end_array();
}

void put_gates(JsonWriter& json, const PhaseSummary& p) {
  json.key("gates").begin_array();
  for (const GateResult& g : p.gates) {
    json.begin_object().member("gate", g.text).member("holds", g.holds);
    if (g.value) json.member("value", *g.value).member("unit", g.unit);
    if (g.needs_n != 0) json.member("needs_n", g.needs_n);
    json.end_object();
  }
  json.end_array();
}

void put_client(JsonWriter& json, const PhaseSummary& p) {
  if (!p.has_client) return;
  json.key("client").begin_object();
  if (p.cpu_ns > 0) json.member("cpu_ns", p.cpu_ns).member("cores_used", p.cores_used());
  json.member("busiest_thread", p.busiest_thread);
  if (p.rss_peak_bytes > 0) json.member("rss_peak_bytes", p.rss_peak_bytes);
  for (const char* lag : {"schedule_lag", "client_lag"}) {
    const Distribution* d = p.find_metric(lag);
    if (d == nullptr || d->count == 0) continue;
    json.key(std::string(lag) + "_p99_ns");
    put_number(json, d->percentile("p99"), d->integer);
  }
  json.member("coalesced_share", p.coalesced_share)
      .member("kernel_stamp_share", p.kernel_stamp_share)
      .end_object();
}

void put_vllm_row(JsonWriter& json, std::string_view key, const VllmFigures::Row& row) {
  if (row.count == 0) return;
  json.key(key)
      .begin_object()
      .member("mean", row.mean_ms)
      .member("median", row.median_ms)
      .member("std", row.std_ms);
  json.member("p99", row.p99_ms).end_object();
}

void put_vllm(JsonWriter& json, const VllmFigures& v) {
  json.key("vllm_bench").begin_object().member("completed", v.completed).member("failed", v.failed);
  json.member("duration", v.duration_s).member("total_input_tokens", v.input_tokens);
  json.member("total_output_tokens", v.output_tokens)
      .member("max_output_tokens_per_s", v.peak_output_tokens_per_s);
  json.member("max_concurrent_requests", v.peak_concurrent);
  put_vllm_row(json, "ttft_ms", v.ttft);
  put_vllm_row(json, "tpot_ms", v.tpot);
  put_vllm_row(json, "itl_ms", v.itl);
  put_vllm_row(json, "e2el_ms", v.e2e);
  json.end_object();
}

void put_sessions(JsonWriter& json, const PhaseSummary& p) {
  if (!p.sessions) return;
  const SessionFigures& s = *p.sessions;
  json.key("sessions").begin_object().member("planned", s.planned).member("completed", s.completed);
  json.member("started", s.started).member("started_per_s", s.started_per_s).key("turns").begin_array();
  for (const SessionFigures::Turn& turn : s.turns) {
    json.begin_object().member("turn", turn.turn);
    if (turn.turn + 1 == SessionFigures::kMostTurns) json.member("and_later", true);
    json.member("planned", turn.planned).member("ok", turn.ok).key("metrics").begin_object();
    for (const Distribution& d : turn.metrics) put_distribution(json, d);
    json.end_object().end_object();
  }
  json.end_array().end_object();
}

void put_phase(JsonWriter& json, const PhaseSummary& p) {
  json.begin_object();
  put_plan(json, p);
  put_window(json, p);
  put_counts(json, "phase_counts", p.phase_counts);
  put_sessions(json, p);
  json.member("unfinished", p.unfinished).key("metrics").begin_object();
  for (const Distribution& d : p.metrics) put_distribution(json, d);
  for (const Scalar& s : p.scalars) put_scalar(json, s);
  json.end_object();
  put_errors(json, p);
  put_tokens(json, p);
  put_gates(json, p);
  put_client(json, p);
  put_vllm(json, p.vllm);
  json.end_object();
}

void put_run(JsonWriter& json, const Summary& s) {
  const Manifest& m = s.manifest;
  json.member("run_id", m.run_id)
      .member("name", m.name)
      .member("tool_version", m.tool_version)
      .member("seed", m.seed);
  json.member("plan_hash", m.plan_hash).member("start_utc", m.start_utc).member("command", m.command);
  json.member("target", m.target.url);
  if (!m.target.tls_verify) json.member("tls_verify", false);
  json.member("server", m.target.server).key("tags").begin_object();
  for (const auto& [name, value] : m.tags) json.member(name, value);
  json.end_object().member("end", s.end_reason).member("end_ns", s.end_ns);
}

void put_checks(JsonWriter& json, const Summary& s) {
  json.member("verdict", to_string(s.verdict)).key("checks").begin_array();
  for (const Check& c : s.checks) {
    json.begin_object().member("id", c.id).member("name", c.name).member("grade", to_string(c.grade));
    json.member("measured", c.measured);
    if (!c.relation.empty()) json.member("relation", c.relation).member("limit", c.limit);
    if (!c.advice.empty()) json.member("advice", c.advice);
    if (!c.workload.empty()) json.member("workload", c.workload).member("phase", c.phase);
    if (c.marks_row) json.member("marks_row", true);
    json.end_object();
  }
  json.end_array();
}

void put_sweep(JsonWriter& json, const Summary& s) {
  if (!s.sweep) return;
  const auto name = [&](const char* key, const std::optional<size_t>& point) {
    if (point) json.member(key, s.phases[*point].phase);
  };
  json.key("sweep").begin_object().member("method", s.manifest.sweep->method);
  json.member("option", s.manifest.sweep->option).member("skipped", s.sweep->skipped);
  if (s.sweep->saturated_per_s) json.member("saturated_per_s", *s.sweep->saturated_per_s);
  name("best", s.sweep->best);
  name("highest_held", s.sweep->highest_held);
  name("lowest_failed", s.sweep->lowest_failed);
  if (s.sweep->highest_held) json.member("confirmed", s.sweep->confirmed);
  json.end_object();
}

void put_records(JsonWriter& json, const ReadReport& r) {
  json.key("records").begin_object().member("lines", r.lines).member("request_lines", r.request_lines);
  json.member("damaged", r.damaged)
      .member("missing", r.missing)
      .member("torn_tail", r.torn_tail)
      .end_object();
}

void put_warnings(JsonWriter& json, const Summary& s) {
  json.key("warnings").begin_array();
  for (const WarnLine& w : s.warnings) {
    json.begin_object().member("at_ns", w.at_ns).member("id", w.id).member("text", w.text).end_object();
  }
  json.end_array();
}

}  // namespace

std::string summary_json(const Summary& summary) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("schema_version", Summary::kSchemaVersion);
  put_run(json, summary);
  put_checks(json, summary);
  put_counts(json, "totals", summary.totals);
  put_records(json, summary.records);
  put_sweep(json, summary);
  json.key("phases").begin_array();
  for (const PhaseSummary& phase : summary.phases) put_phase(json, phase);
  json.end_array();
  put_warnings(json, summary);
  json.end_object();
  return broken_into_lines(out, 4);
}

std::string histograms_json(const Summary& summary) {
  std::string out;
  JsonWriter json(out);
  json.begin_object()
      .member("schema_version", Summary::kSchemaVersion)
      .member("run_id", summary.manifest.run_id);
  json.member("unit", "ns").member("index", "e = max(0, floor(log2 v) - 11); (e << 11) + (v >> e)");
  json.key("histograms").begin_array();
  for (const PhaseSummary& phase : summary.phases) {
    for (const auto& [metric, histogram] : phase.histograms) {
      json.begin_object()
          .member("workload", phase.workload)
          .member("phase", phase.phase)
          .member("metric", metric);
      json.member("count", histogram.count())
          .member("overflow", histogram.overflow())
          .key("buckets")
          .begin_array();
      histogram.for_each(
          [&](uint32_t index, uint64_t n) { json.begin_array().value(index).value(n).end_array(); });
      json.end_array().end_object();
    }
  }
  json.end_array().end_object();
  return broken_into_lines(out, 2);
}

}  // namespace tokometer

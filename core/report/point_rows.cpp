#include "report/point_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.hpp"
#include "metrics/number_text.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

constexpr size_t kNameBytes = 64;

double scalar(const PhaseSummary& phase, std::string_view id) {
  const Scalar* found = phase.find_scalar(id);
  return found != nullptr ? found->number() : 0;
}

// Failures count where they can be seen: an adjusted p99 that is only a bound is shown as one.
PointRow::Latency latency_of(const PhaseSummary& phase, std::string_view metric) {
  PointRow::Latency latency;
  const Distribution* d = phase.find_metric(metric);
  if (d == nullptr || d->count == 0) return latency;
  const size_t p99 = *percentile_index("p99");
  latency.mean = d->mean, latency.p50 = d->percentile("p50"), latency.p99 = d->percentiles[p99];
  latency.p99_is_sure = !d->below_smallest_n(p99);
  if (!d->adjusted) return latency;
  const Adjusted& adjusted = (*d->adjusted)[p99];
  if (adjusted.kind != Adjusted::Kind::at_least) return latency;
  latency.p99 = adjusted.value, latency.p99_is_at_least = true;
  return latency;
}

PointRow::Tokens tokens_of(const TokenCounts& counts) {
  PointRow::Tokens tokens;
  tokens.requests = counts.requests, tokens.prompt = counts.prompt, tokens.output = counts.output;
  const auto mean = [](int64_t sum, uint64_t n) {
    return n > 0 ? std::optional(static_cast<double>(sum) / static_cast<double>(n)) : std::nullopt;
  };
  tokens.prompt_per_request = mean(counts.prompt, counts.counted_prompt);
  tokens.output_per_request = mean(counts.output, counts.counted_output);
  return tokens;
}

Grade grade_of(const PhaseSummary& phase, const Summary& summary) {
  Grade worst = Grade::valid;
  for (const Check& check : summary.checks) {
    const bool whole_run = check.workload.empty() && check.phase.empty();
    if (whole_run || check.phase == phase.phase) worst = std::max(worst, check.grade);
  }
  return worst;
}

std::string milliseconds(double ns) {
  const double ms = ns / 1e6;
  return fixed(ms, ms >= 100 ? 0 : ms >= 10 ? 1 : 2);
}

std::string p50_text(const PointRow::Latency& latency) {
  return latency.p50 ? milliseconds(*latency.p50) : "n/a";
}

std::string p99_text(const PointRow::Latency& latency) {
  if (!latency.p99) return "n/a";
  return (latency.p99_is_at_least ? ">=" : "") + milliseconds(*latency.p99) +
         (latency.p99_is_sure ? "" : "*");
}

std::string rate_text(double value) {
  return fixed(value, value >= 1000 ? 0 : value >= 100 ? 1 : 2);
}

// The cells of a row behind its name, in the order of kHeads.
constexpr std::array kHeads{"offered",  "done/s",   "wire",      "Comp",    "Inc",
                            "Err",      "TTFT p50", "p99",       "ITL p50", "p99",
                            "TPOT p50", "E2E p50",  "out tok/s", "good",    "gates"};

std::array<std::string, kHeads.size()> cells_of(const PointRow& row) {
  return {row.offered ? rate_text(*row.offered) : "-",
          rate_text(row.done_per_s),
          fixed(row.wire, 1),
          std::to_string(row.ok.requests),
          std::to_string(row.cancelled.requests),
          std::to_string(row.failed.requests),
          p50_text(row.ttft),
          p99_text(row.ttft),
          p50_text(row.itl),
          p99_text(row.itl),
          p50_text(row.tpot),
          p50_text(row.e2e),
          fixed(row.output_per_s, 1),
          row.good ? percent_text(std::round(*row.good * 1000) / 1000) : "-",
          row.gates};
}

}  // namespace

PointRow row_of(const PhaseSummary& phase, const Summary& summary, bool from_send) {
  const bool open = phase.plan.open_loop, from_schedule = open && !from_send;
  PointRow row;
  row.name = summary.manifest.workloads.size() > 1 ? phase.workload + "/" + phase.phase : phase.phase;
  row.load = phase.plan.load;
  if (open) row.offered = scalar(phase, "offered_rate");
  row.done_per_s = scalar(phase, "completed_rate"), row.wire = scalar(phase, "concurrency_wire");
  row.output_per_s = scalar(phase, "output_tokens_per_s");
  row.total_per_s = scalar(phase, "total_tokens_per_s");
  row.ok = tokens_of(phase.ok_tokens), row.cancelled = tokens_of(phase.cancelled_tokens);
  row.failed = tokens_of(phase.failed_tokens);
  row.ok.requests = phase.counts.ok, row.cancelled.requests = phase.counts.cancelled;
  row.failed.requests = phase.counts.failed;
  row.ttft = latency_of(phase, from_schedule ? "ttft_sched" : "ttft_sent");
  row.e2e = latency_of(phase, from_schedule ? "e2e_sched" : "e2e_sent");
  row.itl = latency_of(phase, "itl"), row.tpot = latency_of(phase, "tpot");
  if (summary.manifest.slo_of(phase.workload).any()) row.good = scalar(phase, "goodput_ratio");
  row.gates = phase.over ? "over" : phase.gates.empty() ? "-" : phase.gates_hold() ? "hold" : "fail";
  row.begin_ns = phase.w0_ns, row.end_ns = phase.w1_ns;
  row.verdict = to_string(grade_of(phase, summary));
  return row;
}

// Columns as wide as their widest cell.
std::string render_rows(const std::vector<PointRow>& rows, std::string_view first) {
  std::array<size_t, kHeads.size()> widths{};
  size_t name_width = width_of(first);
  for (size_t i = 0; i < kHeads.size(); ++i) widths[i] = width_of(kHeads[i]);
  std::vector<std::array<std::string, kHeads.size()>> cells;
  for (const PointRow& row : rows) {
    cells.push_back(cells_of(row));
    name_width = std::max(name_width, width_of(escape_terminal(row.name, kNameBytes)));
    for (size_t i = 0; i < kHeads.size(); ++i) widths[i] = std::max(widths[i], width_of(cells.back()[i]));
  }
  const auto line = [&](std::string_view name, const auto& texts) {
    Line out(name);
    size_t end = name_width;
    for (size_t i = 0; i < kHeads.size(); ++i) out.right(texts[i], end += widths[i] + 2);
    return std::move(out).end();
  };
  std::string text = line(first, kHeads);
  for (size_t i = 0; i < rows.size(); ++i) text += line(escape_terminal(rows[i].name, kNameBytes), cells[i]);
  return text;
}

std::string render_markdown_rows(const std::vector<PointRow>& rows, std::string_view first) {
  std::string text = "| " + std::string(first) + " |", rule = "|---|";
  for (const char* head : kHeads) text += " " + std::string(head) + " |", rule += "---:|";
  text += "\n" + rule + "\n";
  for (const PointRow& row : rows) {
    text += "| " + escape_terminal(row.name, kNameBytes) + " |";
    for (const std::string& cell : cells_of(row)) text += " " + cell + " |";
    text += "\n";
  }
  return text;
}

}  // namespace tokometer

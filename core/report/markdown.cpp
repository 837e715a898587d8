// The style "md": the figures of a run as Markdown tables, for issues and pages.
#include "base/text.hpp"
#include "metrics/number_text.hpp"
#include "report/styles.hpp"

namespace tokometer {
namespace {

std::string cell(std::string_view foreign) {
  std::string text;
  for (const char c : escape_terminal(foreign)) {
    if (c == '|' || c == '<' || c == '`' || c == '\\') text.push_back('\\');
    text.push_back(c);
  }
  return text;
}

std::string value_text(const Scalar& scalar) {
  if (const auto* integer = std::get_if<int64_t>(&scalar.value)) return std::to_string(*integer);
  return scalar.unit == "ratio" ? percent_text(scalar.number()) : fixed(scalar.number(), 2);
}

std::string metric_row(const Distribution& d) {
  const bool time = d.unit == "ns";
  const auto number = [&](double value) { return fixed(time ? value / 1e6 : value, time ? 3 : 2); };
  std::string row =
      "| " + d.id + " | " + (time ? "ms" : d.unit) + " | " + std::to_string(d.count) + " | " + number(d.mean);
  for (const char* which : {"p50", "p90", "p95", "p99"}) {
    row += " | " + number(d.percentile(which)) + (d.below_smallest_n(*percentile_index(which)) ? "\\*" : "");
  }
  return row + " | " + number(d.max) + " |\n";
}

std::string phase_tables(const PhaseSummary& phase) {
  std::string text = "\n## " + cell(place_text(phase)) +
                     "\n\n| metric | unit | n | mean | p50 | p90 | p95 | p99 | max "
                     "|\n|---|---|---|---|---|---|---|---|---|\n";
  for (const Distribution& d : phase.metrics) {
    if (d.count != 0) text += metric_row(d);
  }
  if (phase.counts.ok == 0) text += "\nLatencies: n/a (0 ok)\n";
  text += "\n| figure | unit | value |\n|---|---|---|\n";
  for (const Scalar& s : phase.scalars) text += "| " + s.id + " | " + s.unit + " | " + value_text(s) + " |\n";
  if (phase.errors.empty()) return text;
  text += "\n| ended | class | count | share | first message |\n|---|---|---|---|---|\n";
  for (const ErrorRow& e : phase.errors) {
    text += "| " + e.status + " | " + cell(e.cls) + " | " + std::to_string(e.count) + " | " +
            percent_text(e.share) + " | " + cell(e.message) + " |\n";
  }
  return text;
}

}  // namespace

std::string render_markdown(const Summary& summary) {
  const Manifest& m = summary.manifest;
  std::string text =
      "# tokometer " + cell(m.tool_version) + (m.name.empty() ? "" : ": " + cell(m.name)) + "\n\n";
  text += "Verdict: **" + std::string(to_string(summary.verdict)) + "**\n";
  for (const Check& check : summary.checks) {
    if (check.grade == Grade::valid) continue;
    text += "- " + check.id + " " + cell(check.name + " " + check.measured) +
            (check.relation.empty() ? "" : " \\" + check.relation + " " + check.limit) +
            (check.advice.empty() ? "" : ": " + cell(check.advice)) + "\n";
  }
  if (summary.sweep) text += "\n" + render_markdown_rows(rows_of(summary), "Point");
  for (const PhaseSummary& phase : summary.phases) text += phase_tables(phase);
  return text;
}

}  // namespace tokometer

// A sweep in the style "table": a row a point, and what was found. `report DIR --point NAME` prints the full
// block of one.
#include <algorithm>

#include "base/text.hpp"
#include "metrics/number_text.hpp"
#include "report/point_rows.hpp"
#include "report/styles.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

std::string duration_text(double ns) {
  const auto seconds = static_cast<int64_t>(ns / 1e9 + 0.5);
  if (seconds < 60) return seconds_text(ns);
  return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
}

std::string heading(const Summary& summary) {
  const Manifest& m = summary.manifest;
  const Manifest::Sweep& sweep = *m.sweep;
  const std::string dataset = m.workloads.empty() ? "" : m.workloads.front().dataset;
  const uint64_t points = std::max<uint64_t>(sweep.points, summary.phases.size());
  return joined({"Sweep " + sweep.method,
                 std::to_string(points) + " points, " + format_duration(sweep.duration_ns) + " each",
                 sweep.option == "rate" ? sweep.pattern : sweep.pattern + " over " + sweep.option,
                 escape_terminal(dataset, 60), "ms"}) +
         "\n";
}

std::string best_text(const Summary& summary) {
  const bool has_gates = summary.manifest.has_gates();
  if (!summary.sweep->best) return has_gates ? "No point holds all gates" : "Every point is over";
  const PointRow row = row_of(summary.phases[*summary.sweep->best], summary);
  std::string text = (has_gates ? "Best in the gates: " : "Best: ") + row.name;
  if (row.ttft.p99) text += ", TTFT p99 " + fixed(*row.ttft.p99 / 1e6, 0) + " ms";
  return text + ", " + fixed(row.output_per_s, 0) + " tok/s";
}

std::string edge_text(const Summary& summary) {
  const SweepFigures& sweep = *summary.sweep;
  if (summary.manifest.sweep->method != "bisect") return {};
  const auto name = [&](const std::optional<size_t>& point) {
    return point ? summary.phases[*point].phase : std::string("none");
  };
  return "Highest that holds: " + name(sweep.highest_held) +
         (sweep.highest_held ? sweep.confirmed ? " (confirmed)" : " (not confirmed)" : "") +
         std::string(kDot) + "lowest that fails: " + name(sweep.lowest_failed) + "\n";
}

std::string closing_line(const Summary& summary) {
  const SweepFigures& sweep = *summary.sweep;
  const bool ended = summary.end_reason == "finished";
  const std::string skipped = std::to_string(sweep.skipped) + (sweep.skipped == 1 ? " point " : " points ");
  return joined({best_text(summary),
                 sweep.saturated_per_s ? "saturated at " + fixed(*sweep.saturated_per_s, 2) + " req/s" : "",
                 sweep.skipped > 0 ? skipped + (ended ? "skipped" : "not run") : "",
                 duration_text(static_cast<double>(summary.end_ns))}) +
         "\n";
}

std::string marks(const std::vector<PointRow>& rows) {
  const bool unsure = std::any_of(rows.begin(), rows.end(), [](const PointRow& row) {
    return (row.ttft.p99 && !row.ttft.p99_is_sure) || (row.itl.p99 && !row.itl.p99_is_sure);
  });
  const bool over =
      std::any_of(rows.begin(), rows.end(), [](const PointRow& row) { return row.gates == "over"; });
  return joined({unsure ? "* needs 459 requests" : "",
                 over ? "over: the backlog grew, or errors passed the budget" : ""}) +
         (unsure || over ? "\n" : "");
}

}  // namespace

std::vector<PointRow> rows_of(const Summary& summary, bool from_send) {
  std::vector<PointRow> rows;
  for (const PhaseSummary& phase : summary.phases) rows.push_back(row_of(phase, summary, from_send));
  return rows;
}

std::string render_sweep(const Summary& summary) {
  const std::vector<PointRow> rows = rows_of(summary);
  return heading(summary) + render_rows(rows, "Point") + marks(rows) + edge_text(summary) +
         closing_line(summary);
}

}  // namespace tokometer

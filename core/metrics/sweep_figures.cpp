#include "metrics/sweep_figures.hpp"

namespace tokometer {
namespace {

double scalar(const PhaseSummary& phase, std::string_view id) {
  const Scalar* found = phase.find_scalar(id);
  return found != nullptr ? found->number() : 0;
}

bool holds(const PhaseSummary& phase) {
  return !phase.over && phase.gates_hold() && phase.counts.ok > 0;
}

// A value that failed once, does: also when it held before a longer look.
void find_edge(const std::vector<PhaseSummary>& points, SweepFigures& figures) {
  const auto value = [&](size_t i) { return *points[i].plan.value; };
  for (size_t i = 0; i < points.size(); ++i) {
    if (!points[i].plan.value || holds(points[i])) continue;
    if (!figures.lowest_failed || value(i) < value(*figures.lowest_failed)) figures.lowest_failed = i;
  }
  for (size_t i = 0; i < points.size(); ++i) {
    if (!points[i].plan.value || !holds(points[i])) continue;
    if (figures.lowest_failed && value(i) >= value(*figures.lowest_failed)) continue;
    const bool again = figures.highest_held && value(i) == value(*figures.highest_held);
    if (figures.highest_held && value(i) < value(*figures.highest_held)) continue;
    figures.highest_held = i;
    figures.confirmed = again;
  }
}

}  // namespace

SweepFigures sweep_figures(const Manifest::Sweep& sweep, const Summary& summary) {
  SweepFigures figures;
  const auto& points = summary.phases;
  for (size_t i = 0; i < points.size(); ++i) {
    const double tokens = scalar(points[i], "output_tokens_per_s");
    const bool is_better = !figures.best || tokens > scalar(points[*figures.best], "output_tokens_per_s");
    if (holds(points[i]) && is_better) figures.best = i;
    if (points[i].plan.load == "throughput" && points[i].counts.ok > 0) {
      figures.saturated_per_s = scalar(points[i], "completed_rate");
    }
  }
  if (sweep.points > points.size()) figures.skipped = sweep.points - points.size();
  if (sweep.method == "bisect") find_edge(points, figures);
  return figures;
}

}  // namespace tokometer

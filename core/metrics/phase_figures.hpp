// Turns what the passes collected about one phase into its PhaseSummary: distributions with percentiles,
// intervals and adjusted values, rates with intervals, error table, vllm-bench's own figures. Private to
// core/metrics.
#pragma once

#include "metrics/measure_pass.hpp"
#include "metrics/summary.hpp"

namespace tokometer {

// Takes the histograms out of `figures`.
PhaseSummary summarize_phase(PhaseFigures& figures, const Manifest& manifest);

}  // namespace tokometer

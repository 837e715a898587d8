// May this run be believed? Checks V1 to V17 of docs/methodology.md, each with what was measured, the limit
// and what to do. The verdict is the worst of them. Private to core/metrics; the result is Summary::checks.
#pragma once

#include <vector>

#include "metrics/measure_pass.hpp"
#include "metrics/summary.hpp"
#include "metrics/window_pass.hpp"

namespace tokometer {

// Checks of the run as a whole: V1, V2 and the loss part of V16.
std::vector<Check> judge_run(const Summary& summary, const WindowPass& pass);

// Checks of one phase; `figures` as they were when `phase` was made.
std::vector<Check> judge_phase(const PhaseSummary& phase, const PhaseFigures& figures,
                               const Manifest& manifest);

Grade worst_of(const std::vector<Check>& checks);

}  // namespace tokometer

// Distributions of one phase, from its rows and pools. Private to core/metrics.
#pragma once

#include <cstdint>
#include <vector>

#include "metrics/measure_pass.hpp"
#include "metrics/summary.hpp"

namespace tokometer {

// Puts all distributions of the catalogue that have at least one value (the lags even when they have none)
// and their histograms into `summary`. Takes the pooled histograms out of `figures`.
void add_distributions(PhaseFigures& figures, PhaseSummary& summary);

// By turn, where the phase has sessions.
void add_turns(const PhaseFigures& figures, PhaseSummary& summary);

// Percentiles in which what did not end well counts (docs/methodology.md): `ok` sorted, `at_least` the ages
// of the censored requests (any order), `infinite` the number of the others.
void adjust(Distribution& distribution, const std::vector<double>& ok, std::vector<double> at_least,
            uint64_t infinite);

}  // namespace tokometer

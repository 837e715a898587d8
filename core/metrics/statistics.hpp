// The statistics behind the summary (docs/methodology.md): pure functions on values, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace tokometer {

double mean_of(std::span<const double> values);
double stddev_of(std::span<const double> values, double mean);  // of a sample (n - 1); 0 for fewer than two

// Where a sequence settles, by MSER: the cut d in [0, last] with the smallest squared standard error of what
// remains. The smallest such d where several are equal.
struct MserCut {
  size_t cut = 0;       // best d within the first half
  bool settled = true;  // false: a cut in the second half is far better, so the sequence has not settled
};
MserCut mser(std::span<const double> batch_means);

// Whether a value is at most `threshold`: how many independent trials of that are the n correlated ones
// worth? n / (1 + 2 sum rho_k) over the autocorrelations rho of yes and no, lags up to the first rho_k <= 0
// (and as many as 20 million steps allow). n if all are alike; at least 1 for a non-empty input.
double effective_trials(std::span<const double> in_time_order, double threshold);

// Ranks (from 1, among n sorted values) that enclose a percentile with 95 % confidence, from Binomial(n_eff,
// p). Nothing when the sample does not reach far enough.
std::optional<std::pair<uint64_t, uint64_t>> percentile_ranks(uint64_t n, double n_eff, uint32_t per_mille);

// P(Binomial(n, p) <= k).
double binomial_cdf(uint64_t k, uint64_t n, double p);

// 95 % interval of the mean of a few batch values (Student t). Nothing for fewer than three values.
std::optional<std::pair<double, double>> batch_interval(std::span<const double> batches);

// Least squares over equally spaced values: slope per step and its standard error.
struct Slope {
  double per_step = 0, error = 0;
};
Slope slope_of(std::span<const double> values);

// How much a series of in-flight counts, evenly spaced, rises from its begin to its end: by a line through 20
// batches. Significant: the load is above what the server can do. Nothing for fewer than ten values.
struct Rise {
  double requests = 0;
  bool significant = false;
};
Rise rise_of(std::span<const double> in_flight);

// Linear interpolation between ranks, as numpy.percentile: for other tools' numbers only. `sorted` is not
// empty.
double interpolated_percentile(std::span<const double> sorted, double percent);

}  // namespace tokometer

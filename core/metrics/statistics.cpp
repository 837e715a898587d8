#include "metrics/statistics.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace tokometer {

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double stddev_of(std::span<const double> values, double mean) {
  if (values.size() < 2) return 0;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

// All suffixes in one walk from the end (Welford), so the cost is linear.
MserCut mser(std::span<const double> batch_means) {
  constexpr size_t kShortestRest = 5;  // fewer batches say nothing about a mean
  constexpr double kFarBetter = 0.5;   // by chance alone a short rest is often a little better
  const size_t n = batch_means.size();
  double mean = 0, squares = 0, best = INFINITY, best_late = INFINITY, scale = 0;
  for (const double value : batch_means) scale = std::max(scale, std::abs(value));
  MserCut result;
  for (size_t rest = 1; rest <= n; ++rest) {
    const size_t d = n - rest;
    const double delta = batch_means[d] - mean;
    mean += delta / static_cast<double>(rest);
    squares += delta * (batch_means[d] - mean);
    const double noise = 1e-18 * scale * scale * static_cast<double>(rest);  // rounding is no variation
    const double error =
        (squares <= noise ? 0 : squares) / (static_cast<double>(rest) * static_cast<double>(rest));
    if (d > n / 2) {
      if (rest >= kShortestRest) best_late = std::min(best_late, error);
    } else if (error <= best) {  // walking towards d = 0: equal means earlier
      best = error;
      result.cut = d;
    }
  }
  result.settled = !(best_late < kFarBetter * best);
  return result;
}

namespace {

// A bit for each value, packed, so that a lag of a million values costs some ten thousand steps.
std::vector<uint64_t> bits_at_most(std::span<const double> values, double threshold) {
  std::vector<uint64_t> bits(values.size() / 64 + 2);  // one word more than there are bits: lags read beyond
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] <= threshold) bits[i / 64] |= uint64_t{1} << (i % 64);
  }
  return bits;
}

// How many pairs (i, i + lag) have both bits set.
uint64_t pairs_at(const std::vector<uint64_t>& bits, size_t lag) {
  const size_t words = lag / 64, shift = lag % 64;
  uint64_t pairs = 0;
  for (size_t i = 0; i + words + 1 < bits.size(); ++i) {
    uint64_t later = bits[i + words] >> shift;
    if (shift != 0) later |= bits[i + words + 1] << (64 - shift);
    pairs += static_cast<uint64_t>(std::popcount(bits[i] & later));
  }
  return pairs;
}

}  // namespace

double effective_trials(std::span<const double> in_time_order, double threshold) {
  constexpr size_t kMostSteps = 20'000'000;
  const size_t n = in_time_order.size();
  const auto bits = bits_at_most(in_time_order, threshold);
  const auto size = static_cast<double>(n);
  const double mean = n == 0 ? 0 : static_cast<double>(pairs_at(bits, 0)) / size;
  const double variance = mean * (1 - mean);
  if (variance <= 0) return size;
  const size_t most = std::min(n - 1, kMostSteps / bits.size());
  double sum = 0, first = 0, last = 0;  // set bits among the first and the last `lag`
  for (size_t lag = 1; lag <= most; ++lag) {
    first += in_time_order[lag - 1] <= threshold;
    last += in_time_order[n - lag] <= threshold;
    const double both = static_cast<double>(pairs_at(bits, lag)), rest = static_cast<double>(n - lag);
    const double product = both - mean * (2 * mean * size - first - last) + rest * mean * mean;
    if (product <= 0) break;
    sum += product / (variance * size);
  }
  return std::max(1.0, size / (1 + 2 * sum));
}

namespace {

double log_pmf(double k, double n, double p) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(p) +
         (n - k) * std::log1p(-p);
}

}  // namespace

double binomial_cdf(uint64_t k, uint64_t n, double p) {
  if (k >= n) return 1;
  const auto size = static_cast<double>(n);
  double term = std::exp(log_pmf(static_cast<double>(k), size, p)), sum = 0;
  for (auto i = static_cast<double>(k); i >= 0 && term > 0; --i) {  // downwards until nothing is added
    sum += term;
    if (term < sum * 1e-17) break;
    term *= i / (size - i + 1) * (1 - p) / p;
  }
  // Far above the mean the terms rise on the way down and may start at 0: the rest is then all of it.
  return static_cast<double>(k) > size * p && sum == 0 ? 1 : std::min(sum, 1.0);
}

std::optional<std::pair<uint64_t, uint64_t>> percentile_ranks(uint64_t n, double n_eff, uint32_t per_mille) {
  const auto m = static_cast<uint64_t>(std::min(n_eff, static_cast<double>(n)));
  if (m == 0) return std::nullopt;
  const double p = per_mille / 1000.0, mean = static_cast<double>(m) * p;
  const double reach = 12 * std::sqrt(mean * (1 - p)) + 20;
  const auto first = static_cast<uint64_t>(std::max(0.0, std::floor(mean - reach)));
  double below = first == 0 ? 0 : binomial_cdf(first - 1, m, p);
  uint64_t low = first, k = first;
  for (; k <= m;
       ++k) {  // low: smallest k with P(X <= k) > 0.025; afterwards k: smallest with P(X <= k) >= 0.975
    const double cumulative = below + std::exp(log_pmf(static_cast<double>(k), static_cast<double>(m), p));
    if (cumulative <= 0.025) low = k + 1;
    below = cumulative;
    if (cumulative >= 0.975) break;
  }
  const uint64_t high = k + 1;
  if (low < 1 || high > m) return std::nullopt;
  const double scale = static_cast<double>(n) / static_cast<double>(m);
  const auto lower = static_cast<uint64_t>(std::floor(static_cast<double>(low) * scale));
  const auto upper = static_cast<uint64_t>(std::ceil(static_cast<double>(high) * scale));
  return std::pair{std::max<uint64_t>(lower, 1), std::min(upper, n)};
}

std::optional<std::pair<double, double>> batch_interval(std::span<const double> batches) {
  // Student t, 97.5 %, by degrees of freedom from 2; later ones differ by less than 0.5 %.
  constexpr std::array<double, 28> kT{4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201,
                                      2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080,
                                      2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045};
  const size_t n = batches.size();
  if (n < 3) return std::nullopt;
  const double t = kT[std::min(n - 3, kT.size() - 1)];
  const double mean = mean_of(batches);
  const double half = t * stddev_of(batches, mean) / std::sqrt(static_cast<double>(n));
  return std::pair{mean - half, mean + half};
}

Slope slope_of(std::span<const double> values) {
  const size_t n = values.size();
  if (n < 3) return {};
  const double mean = mean_of(values), middle = static_cast<double>(n - 1) / 2;
  double products = 0, squares = 0;
  for (size_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(i) - middle;
    products += x * (values[i] - mean);
    squares += x * x;
  }
  Slope slope{products / squares, 0};
  double rest = 0;
  for (size_t i = 0; i < n; ++i) {
    const double off = values[i] - mean - slope.per_step * (static_cast<double>(i) - middle);
    rest += off * off;
  }
  slope.error = std::sqrt(rest / static_cast<double>(n - 2) / squares);
  return slope;
}

Rise rise_of(std::span<const double> in_flight) {
  constexpr size_t kBatches = 20, kFewest = 10;
  constexpr double kT99 = 2.878;        // Student t, 18 degrees of freedom, 99 % two-sided
  constexpr double kLeastShare = 0.05;  // a rise below 5 % of the mean, or one request, matters to nobody
  constexpr double kOfDeviation = 2;    // of a Poisson count with this mean: what comes and goes by itself
  if (in_flight.size() < kFewest) return {};
  std::vector<double> batches;
  const size_t parts = std::min(kBatches, in_flight.size());
  for (size_t i = 0; i < parts; ++i) {
    const size_t from = i * in_flight.size() / parts, to = (i + 1) * in_flight.size() / parts;
    batches.push_back(mean_of(in_flight.subspan(from, to - from)));
  }
  const Slope slope = slope_of(batches);
  const double rise = slope.per_step * static_cast<double>(parts), mean = mean_of(batches);
  const double least = std::max({1.0, kLeastShare * mean, kOfDeviation * std::sqrt(mean)});
  return {rise, slope.per_step > kT99 * slope.error && rise > least};
}

double interpolated_percentile(std::span<const double> sorted, double percent) {
  const double at = percent / 100 * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - static_cast<double>(low));
}

}  // namespace tokometer

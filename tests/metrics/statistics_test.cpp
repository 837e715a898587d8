#include "metrics/statistics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tokometer/random.hpp>

#include "metrics/packed_column.hpp"
#include "metrics/record.hpp"
#include "metrics/summary.hpp"

using namespace tokometer;

namespace {

// MSER by its definition, O(n^2).
size_t mser_by_the_book(const std::vector<double>& y) {
  size_t best = 0;
  double smallest = INFINITY;
  for (size_t d = 0; d <= y.size() / 2; ++d) {
    double mean = 0, squares = 0;
    const auto rest = static_cast<double>(y.size() - d);
    for (size_t i = d; i < y.size(); ++i) mean += y[i] / rest;
    for (size_t i = d; i < y.size(); ++i) squares += (y[i] - mean) * (y[i] - mean);
    const double error = squares / (rest * rest);
    if (error < smallest * (1 - 1e-9)) smallest = error, best = d;
  }
  return best;
}

}  // namespace

TEST_CASE("MSER finds the cut of the definition") {
  tkm::Random random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> y;
    const size_t n = 10 + random.below(60), transient = random.below(n);
    for (size_t i = 0; i < n; ++i) y.push_back(random.normal(100, 3) + (i < transient ? 80.0 : 0.0));
    CHECK(mser(y).cut == mser_by_the_book(y));
  }
}

TEST_CASE("MSER: special shapes") {
  const std::vector<double> flat(40, 64.0);
  CHECK(mser(flat).cut == 0);
  CHECK(mser(flat).settled);
  std::vector<double> rising(40);
  std::iota(rising.begin(), rising.end(), 0.0);
  CHECK(mser(rising).cut == 20);
  CHECK_FALSE(mser(rising).settled);
  CHECK(mser({}).cut == 0);
}

TEST_CASE("a steady sequence is nearly always called settled") {
  int settled = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    tkm::Random random(seed);
    std::vector<double> y;
    for (int i = 0; i < 60; ++i) y.push_back(random.normal(50, 5));
    settled += mser(y).settled;
  }
  CHECK(settled >= 190);
}

double trials_by_the_book(const std::vector<double>& values, double threshold) {
  const auto n = static_cast<double>(values.size());
  std::vector<double> yes;
  for (const double value : values) yes.push_back(value <= threshold ? 1 : 0);
  const double mean = mean_of(yes);
  double variance = 0, sum = 0;
  for (const double y : yes) variance += (y - mean) * (y - mean);
  if (variance == 0) return n;
  for (size_t lag = 1; lag < yes.size(); ++lag) {
    double product = 0;
    for (size_t i = lag; i < yes.size(); ++i) product += (yes[i] - mean) * (yes[i - lag] - mean);
    if (product <= 0) break;
    sum += product / variance;
  }
  return std::max(1.0, n / (1 + 2 * sum));
}

// AR(1), stationary from the first value on, standard normal at each instant.
std::vector<double> correlated_normals(tkm::Random& random, size_t n, double correlation) {
  std::vector<double> values;
  double state = random.normal();
  for (size_t i = 0; i < n; ++i) {
    values.push_back(state);
    state = correlation * state + std::sqrt(1 - correlation * correlation) * random.normal();
  }
  return values;
}

TEST_CASE("effective trials are those of the definition") {
  tkm::Random random(9);
  for (const size_t n : {2u, 63u, 64u, 65u, 200u, 1000u}) {
    for (const double correlation : {0.0, 0.8, 0.99}) {
      const auto values = correlated_normals(random, n, correlation);
      for (const double threshold : {-9.0, -1.0, 0.0, 1.5, 9.0}) {
        CAPTURE(n);
        CAPTURE(correlation);
        CAPTURE(threshold);
        CHECK(effective_trials(values, threshold) ==
              doctest::Approx(trials_by_the_book(values, threshold)).epsilon(1e-9));
      }
    }
  }
  CHECK(effective_trials({}, 0) == 0);
  CHECK(effective_trials(std::vector<double>(100, 3.0), 3.0) == 100);
  const auto values = correlated_normals(random, 20'000, 0.8);
  CHECK(effective_trials(values, 0) < 4'000);     // the middle of correlated values
  CHECK(effective_trials(values, 2.33) > 4'000);  // their tail is less dependent
}

TEST_CASE("binomial distribution function against a plain sum") {
  const auto plain = [](uint64_t k, uint64_t n, double p) {
    double sum = 0;
    for (uint64_t i = 0; i <= k; ++i) {
      const auto x = static_cast<double>(i), size = static_cast<double>(n);
      sum += std::exp(std::lgamma(size + 1) - std::lgamma(x + 1) - std::lgamma(size - x + 1) +
                      x * std::log(p) + (size - x) * std::log(1 - p));
    }
    return sum;
  };
  for (const uint64_t n : {5u, 60u, 500u}) {
    for (const double p : {0.01, 0.5, 0.99}) {
      for (uint64_t k = 0; k < n; k += 1 + n / 20)
        CHECK(binomial_cdf(k, n, p) == doctest::Approx(plain(k, n, p)).epsilon(1e-9));
    }
  }
  CHECK(binomial_cdf(1'000'000, 1'000'000, 0.5) == 1);
  CHECK(binomial_cdf(900'000, 1'000'000, 0.5) == doctest::Approx(1));
  CHECK(binomial_cdf(0, 1'000'000, 0.5) == doctest::Approx(0));
}

TEST_CASE("early stopping: the sizes of MLPerf's table") {
  const std::pair<uint64_t, uint64_t> table[] = {{0, 459}, {1, 662}, {2, 838}, {5, 1307}, {10, 2010}};
  for (const auto& [over, n] : table) {
    CHECK(binomial_cdf(over, n, 0.01) <= 0.01);
    CHECK(binomial_cdf(over, n - 1, 0.01) > 0.01);
  }
}

TEST_CASE("the smallest n of each percentile is where 99 % certainty begins") {
  for (const PercentileName& p : kPercentiles) {
    const double tail = std::max(p.per_mille, 1000 - p.per_mille) / 1000.0;
    const auto n = static_cast<double>(p.smallest_n);
    CAPTURE(p.id);
    CHECK(1 - std::pow(tail, n) >= 0.99);
    CHECK(1 - std::pow(tail, n - 1) < 0.99);
  }
}

TEST_CASE("the ranks of an interval have 95 % coverage, and no more than needed") {
  for (const uint64_t n : {100u, 1000u, 5000u}) {
    for (const uint32_t per_mille : {500u, 900u, 950u, 990u}) {
      const auto ranks = percentile_ranks(n, static_cast<double>(n), per_mille);
      CAPTURE(n);
      CAPTURE(per_mille);
      if (!ranks) {
        CHECK(n == 100);  // too small a sample for the tail
        continue;
      }
      const double p = per_mille / 1000.0;
      const double coverage = binomial_cdf(ranks->second - 1, n, p) - binomial_cdf(ranks->first - 1, n, p);
      CHECK(coverage >= 0.95);
      CHECK(coverage <= 0.985);
    }
  }
  CHECK_FALSE(percentile_ranks(0, 0, 500));
  const auto fewer = percentile_ranks(10'000, 1'000, 990), all = percentile_ranks(10'000, 10'000, 990);
  CHECK(fewer->second - fewer->first > all->second - all->first);  // correlated: wider
}

TEST_CASE("a percentile's interval covers the truth in 92 to 98 % of 200 simulated runs") {
  const struct {
    uint32_t per_mille;
    double correlation;
    double truth;  // of the standard normal distribution
  } rows[] = {{500, 0, 0}, {500, 0.9, 0}, {990, 0, 2.326348}, {990, 0.5, 2.326348}, {990, 0.9, 2.326348}};
  for (const auto& row : rows) {
    int covered = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      tkm::Random random(seed, "coverage");
      const auto values = correlated_normals(random, 6000, row.correlation);
      auto sorted = values;
      std::sort(sorted.begin(), sorted.end());
      const double measured = sorted[(sorted.size() * row.per_mille + 999) / 1000 - 1];
      const auto ranks = percentile_ranks(values.size(), effective_trials(values, measured), row.per_mille);
      REQUIRE(ranks);
      covered += sorted[ranks->first - 1] <= row.truth && row.truth <= sorted[ranks->second - 1];
    }
    CAPTURE(row.per_mille);
    CAPTURE(row.correlation);
    CHECK(covered >= 184);
    CHECK(covered <= 198);  // one above 98 %: order statistics are discrete
  }
}

TEST_CASE("batch intervals, slopes, interpolation") {
  const std::vector<double> batches{1, 2, 3, 4, 5};
  const auto interval = batch_interval(batches);
  REQUIRE(interval);
  CHECK(interval->first == doctest::Approx(3 - 2.776 * std::sqrt(2.5 / 5)));
  CHECK(interval->second == doctest::Approx(3 + 2.776 * std::sqrt(2.5 / 5)));
  CHECK_FALSE(batch_interval(std::vector<double>{1, 2}));
  CHECK(slope_of(batches).per_step == doctest::Approx(1));
  CHECK(slope_of(batches).error == doctest::Approx(0));
  CHECK(interpolated_percentile(batches, 50) == 3);
  CHECK(interpolated_percentile(batches, 99) == doctest::Approx(4.96));  // numpy.percentile([1..5], 99)
}

TEST_CASE("a packed column gives back every number") {
  tkm::Random random(21);
  const auto check_column = [](const std::vector<int64_t>& values, size_t most_bytes_a_row) {
    PackedColumn column;
    for (const int64_t value : values) column.push(value);
    REQUIRE(column.size() == values.size());
    for (size_t i = 0; i < values.size(); ++i) REQUIRE(column[i] == values[i]);
    CHECK(column.memory_bytes() <= most_bytes_a_row * values.size() + 16 * 1024);
  };
  std::vector<int64_t> times, constant, mixed, wild, absent(5000, kAbsent), edge;
  for (int i = 0; i < 5000; ++i) {
    times.push_back(60'000'000 + static_cast<int64_t>(random.below(80'000'000)));
    constant.push_back(-7);
    mixed.push_back(random.chance(0.3) ? kAbsent : static_cast<int64_t>(random.below(200)));
    wild.push_back(static_cast<int64_t>(random.bits()));
    edge.push_back(i % 3 == 0 ? kAbsent : i % 3 == 1 ? 0 : 254);  // 255 would be the mark of kAbsent
  }
  check_column(times, 4);
  check_column(constant, 0);
  check_column(mixed, 1);
  check_column(wild, 8);
  check_column(absent, 0);
  check_column(edge, 1);
  check_column({INT64_MAX, INT64_MIN + 1, 0, kAbsent}, 8);
}

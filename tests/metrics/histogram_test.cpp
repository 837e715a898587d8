#include "metrics/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <tokometer/random.hpp>
#include <vector>

using namespace tokometer;

TEST_CASE("buckets follow the formula: e = max(0, floor(log2 v) - 11), index = (e << 11) + (v >> e)") {
  const auto index_by_the_book = [](int64_t v) {
    int log2 = 0;
    while ((v >> (log2 + 1)) > 0) ++log2;
    const int e = std::max(0, log2 - 11);
    return (static_cast<uint32_t>(e) << 11) + static_cast<uint32_t>(v >> e);
  };
  for (int64_t v : {int64_t{0}, int64_t{1}, int64_t{2047}, int64_t{2048}, int64_t{4095}, int64_t{4096},
                    int64_t{4097}, int64_t{1'000'000}, int64_t{20'000'000}, (int64_t{1} << 42) - 1}) {
    CAPTURE(v);
    CHECK(Histogram::index_of(v) == index_by_the_book(v));
  }
  CHECK(Histogram::index_of((int64_t{1} << 42) - 1) == Histogram::kBuckets - 1);
  CHECK(Histogram::index_of(int64_t{1} << 42) == Histogram::kBuckets);
}

TEST_CASE("a midpoint lies in its own bucket and at most 0.025 % off any value of it") {
  tkm::Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    const auto v = static_cast<int64_t>(std::exp(random.uniform() * std::log(4e12)));
    const uint32_t index = Histogram::index_of(v);
    const int64_t mid = Histogram::midpoint_ns(index);
    CAPTURE(v);
    CHECK(Histogram::index_of(mid) == index);
    CHECK(std::abs(static_cast<double>(mid - v)) <= 0.00025 * static_cast<double>(v) + 0.5);
  }
}

TEST_CASE("percentiles are the nearest rank of the sorted values, within a bucket") {
  tkm::Random random(11);
  std::vector<int64_t> values;
  Histogram histogram, halves[2];
  for (int i = 0; i < 5003; ++i) {
    values.push_back(static_cast<int64_t>(random.below(50'000'000)));
    histogram.record(values.back());
    halves[i % 2].record(values.back());
  }
  std::sort(values.begin(), values.end());
  halves[1].merge(halves[0]);
  for (uint32_t per_mille : {1u, 10u, 500u, 900u, 990u, 999u, 1000u}) {
    CAPTURE(per_mille);
    const auto rank = static_cast<size_t>(std::ceil(per_mille * 5003 / 1000.0 - 1e-9));
    const int64_t exact = values[std::max<size_t>(rank, 1) - 1];
    CHECK(histogram.percentile(per_mille) == Histogram::midpoint_ns(Histogram::index_of(exact)));
    CHECK(halves[1].percentile(per_mille) == histogram.percentile(per_mille));  // merging is exact
  }
  const int64_t limit = 40'000'000;
  const auto above = std::count_if(values.begin(), values.end(), [&](int64_t v) {
    return Histogram::index_of(v) > Histogram::index_of(limit);
  });
  CHECK(histogram.count_above(limit) == static_cast<uint64_t>(above));
}

TEST_CASE("what does not fit is counted, nothing is invented") {
  Histogram histogram;
  CHECK_FALSE(histogram.percentile(500));
  histogram.record(-5);
  histogram.record(int64_t{1} << 50, 2);
  CHECK(histogram.count() == 3);
  CHECK(histogram.overflow() == 2);
  CHECK(histogram.percentile(10) == 0);
  CHECK(histogram.percentile(990) == int64_t{1} << 42);
  histogram.clear();
  CHECK(histogram.count() == 0);
}

TEST_CASE("nearest rank in integers") {
  CHECK(nearest_rank(950, 20) == 19);
  CHECK(nearest_rank(70, 100) == 7);
  CHECK(nearest_rank(500, 1) == 1);
  CHECK(nearest_rank(999, 1000) == 999);
  CHECK(nearest_rank(1, 5) == 1);
  CHECK(nearest_rank(990, 10'000'000'000) == 9'900'000'000);
}

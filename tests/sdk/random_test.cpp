#include <doctest/doctest.h>
#include <tokometer/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

using tkm::Random;

namespace {

struct Moments {
  double mean, variance;
};

template <class Draw>
Moments moments(Draw draw) {
  constexpr int kCount = 400'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = draw();
    sum += x, squares += x * x;
  }
  const double mean = sum / kCount;
  return {mean, squares / kCount - mean * mean};
}

}  // namespace

// These numbers must never change, on any machine: runs are replayed by their seed. (xoshiro256** and
// splitmix64 agree with a reimplementation in Python.)
TEST_CASE("random: golden values") {
  Random plain(42);
  CHECK(plain.bits() == 0x4B754824DC9B9A86u);
  CHECK(plain.bits() == 0xF3909741E47D08E3u);
  Random named(42, "arrivals");
  CHECK(named.bits() == 0x2E466CD1037D97FDu);
  Random values(7, "golden");
  CHECK(values.uniform() == 0x1.befa4fbe22148p-4);
  CHECK(values.integer(-5, 1000) == 595);
  CHECK(values.exponential(0.125) == 0x1.222fdf20f06f3p-2);
  CHECK(values.normal(10, 3) == 0x1.ba583f9c2ced7p+2);
  CHECK(values.normal(10, 3) == 0x1.d535d71702a5dp+3);
  CHECK(values.lognormal(500, 200) == 0x1.d6a0ca0fa35ffp+9);
  CHECK(values.gamma(4, 0.25) == 0x1.19d82915fea27p+1);
  CHECK(values.gamma(0.25, 4) == 0x1.175adf3bdefcbp-3);
  std::vector<int> order(8);
  std::iota(order.begin(), order.end(), 0);
  values.shuffle(order);
  CHECK(order == std::vector<int>{4, 6, 3, 7, 1, 2, 0, 5});
}

TEST_CASE("random: same seed and name, same numbers; others are others") {
  const auto first = [](uint64_t seed, const char* name) { return Random(seed, name).bits(); };
  CHECK(first(1, "a") == first(1, "a"));
  CHECK(first(1, "a") != first(2, "a"));
  CHECK(first(1, "a") != first(1, "b"));
  CHECK(first(1, "") != first(1, "a"));
}

TEST_CASE("random: means and variances are those of the distributions") {
  Random random(2024, "moments");
  struct Case {
    const char* name;
    std::function<double()> draw;
    double mean, variance;
  };
  const std::vector<Case> cases = {
      {"uniform", [&] { return random.uniform(); }, 0.5, 1.0 / 12},
      {"uniform range", [&] { return random.uniform(10, 16); }, 13, 3},
      {"integer", [&] { return static_cast<double>(random.integer(-3, 6)); }, 1.5, 8.25},
      {"exponential", [&] { return random.exponential(0.2); }, 0.2, 0.04},
      {"normal", [&] { return random.normal(5, 2); }, 5, 4},
      {"lognormal", [&] { return random.lognormal(100, 30); }, 100, 900},
      {"gamma, bursty", [&] { return random.gamma(0.5, 2); }, 1, 2},
      {"gamma, exponential", [&] { return random.gamma(1, 3); }, 3, 9},
      {"gamma, regular", [&] { return random.gamma(9, 0.5); }, 4.5, 2.25},
      {"chance", [&] { return random.chance(0.3) ? 1.0 : 0.0; }, 0.3, 0.21},
  };
  for (const Case& each : cases) {
    CAPTURE(each.name);
    const Moments found = moments(each.draw);
    CHECK(found.mean == doctest::Approx(each.mean).epsilon(0.02));
    CHECK(found.variance == doctest::Approx(each.variance).epsilon(0.05));
  }
}

TEST_CASE("random: gaps of a Poisson process are exponential, not only on average") {
  Random random(5, "tail");
  int beyond_one = 0, beyond_three = 0;
  for (int i = 0; i < 200'000; ++i) {
    const double gap = random.exponential(1);
    CHECK(gap >= 0);
    beyond_one += gap > 1, beyond_three += gap > 3;
  }
  CHECK(beyond_one / 200'000.0 == doctest::Approx(std::exp(-1)).epsilon(0.02));
  CHECK(beyond_three / 200'000.0 == doctest::Approx(std::exp(-3)).epsilon(0.05));
}

TEST_CASE("random: whole numbers stay in their range and reach its ends") {
  Random random(1);
  CHECK(random.below(0) == 0);
  CHECK(random.below(1) == 0);
  CHECK(random.integer(7, 7) == 7);
  std::vector<int> seen(5);
  for (int i = 0; i < 1000; ++i) ++seen.at(random.below(5));
  CHECK(*std::min_element(seen.begin(), seen.end()) > 150);
  bool negative = false, positive = false;
  for (int i = 0; i < 100; ++i) {
    const int64_t any = random.integer(INT64_MIN, INT64_MAX);
    negative = negative || any < 0, positive = positive || any > 0;
  }
  CHECK(negative);
  CHECK(positive);
}

TEST_CASE("random: shuffling keeps the items, and each comes first equally often") {
  Random random(3);
  std::vector<int> first(4);
  for (int i = 0; i < 8000; ++i) {
    std::vector<int> items = {0, 1, 2, 3};
    random.shuffle(items);
    ++first.at(static_cast<size_t>(items.front()));
    std::sort(items.begin(), items.end());
    CHECK(items == std::vector<int>{0, 1, 2, 3});
  }
  for (const int count : first) CHECK(count == doctest::Approx(2000).epsilon(0.1));
}

TEST_CASE("random: our own log and exp agree with the C library's") {
  Random random(11);
  for (int i = 0; i < 100'000; ++i) {
    const double x = random.uniform(1e-12, 50), y = random.uniform(-60, 60);
    CHECK(tkm::random_detail::log(x) == doctest::Approx(std::log(x)).epsilon(1e-15));
    CHECK(tkm::random_detail::exp(y) == doctest::Approx(std::exp(y)).epsilon(1e-15));
  }
  CHECK(tkm::random_detail::log(1) == 0);
  CHECK(tkm::random_detail::log(0x1p-53) == doctest::Approx(std::log(0x1p-53)).epsilon(1e-15));
  CHECK(tkm::random_detail::exp(0) == 1);
  CHECK(tkm::random_detail::exp(1e9) == tkm::random_detail::exp(700));
}

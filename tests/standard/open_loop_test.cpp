#include <tokometer/random.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Pattern;
using host::Setup;

std::string rate(double per_s, double burstiness = 0) {
  std::string config = "{\"rate\":" + std::to_string(per_s);
  if (burstiness > 0) config += ",\"burstiness\":" + std::to_string(burstiness);
  return config + "}";
}

std::vector<int64_t> schedule(std::string_view id, const Setup& setup, size_t count) {
  Pattern pattern(id, setup);
  REQUIRE(pattern.status() == TKM_OK);
  std::vector<int64_t> times;
  while (times.size() < count) {
    const tkm_load_step step = pattern.next();
    REQUIRE(step.action == TKM_LOAD_RELEASE);
    times.push_back(step.at_ns);
  }
  return times;
}

std::string shown(const std::vector<int64_t>& times) {
  std::string text;
  for (const int64_t at : times) text += (text.empty() ? "" : " ") + std::to_string(at);
  return text;
}

// The same, asked at wild times in wild states.
std::vector<int64_t> disturbed_schedule(std::string_view id, const Setup& setup, size_t count,
                                        tkm::Random& random) {
  Pattern pattern(id, setup);
  std::vector<int64_t> times;
  while (times.size() < count) {
    tkm_load_state state{};
    state.struct_size = sizeof state;
    state.active = static_cast<uint32_t>(random.below(1000));
    state.in_flight = static_cast<uint32_t>(random.below(1000));
    state.now_ns = static_cast<int64_t>(random.below(100'000'000'000));
    state.next_arrival_ns = static_cast<int64_t>(random.below(100)) - 1;
    state.released = random.below(10'000), state.completed = random.below(10'000),
    state.failed = random.below(10'000);
    times.push_back(pattern.next(state).at_ns);
  }
  return times;
}

std::vector<double> gaps_s(const std::vector<int64_t>& times) {
  std::vector<double> gaps;
  int64_t last = 0;
  for (const int64_t at : times) gaps.push_back(static_cast<double>(at - std::exchange(last, at)) / 1e9);
  return gaps;
}

// Regularised lower incomplete gamma function, by its series; good for the arguments that occur here.
double gamma_cdf(double shape, double x) {
  if (x <= 0) return 0;
  double term = 1 / shape, sum = term;
  for (int n = 1; n < 10'000 && term > sum * 1e-16; ++n) sum += term *= x / (shape + n);
  return std::min(1.0, sum * std::exp(shape * std::log(x) - x - std::lgamma(shape)));
}

// Largest distance between the empirical distribution and the gamma distribution with this mean.
double ks_distance(std::vector<double> gaps, double shape, double mean) {
  std::sort(gaps.begin(), gaps.end());
  const auto count = static_cast<double>(gaps.size());
  double worst = 0;
  for (size_t index = 0; index < gaps.size(); ++index) {
    const double expected = gamma_cdf(shape, gaps[index] * shape / mean);
    worst = std::max({worst, expected - static_cast<double>(index) / count,
                      static_cast<double>(index + 1) / count - expected});
  }
  return worst;
}

TEST_CASE("open loops: 1,000 random configurations depend on nothing but options and seed, and never fall") {
  tkm::Random random(7, "configurations");
  constexpr const char* kIds[] = {"constant", "poisson", "gamma"};
  for (int round = 0; round < 1000; ++round) {
    const std::string_view id = kIds[round % 3];
    const double per_s = std::pow(10.0, random.uniform(-2, 5));
    const double burstiness = id == "gamma" ? std::pow(10.0, random.uniform(-1, 1)) : 0;
    const Setup setup{.config = rate(per_s, burstiness), .seed = random.bits()};
    CAPTURE(setup.config);
    CAPTURE(setup.seed);
    const auto times = schedule(id, setup, 100);
    CHECK(times == disturbed_schedule(id, setup, 100, random));
    CHECK(std::is_sorted(times.begin(), times.end()));
    CHECK(times.front() >= 0);
  }
}

TEST_CASE("constant: the k-th release is at k / rate, to the nanosecond, however many came before") {
  for (const double per_s : {0.1, 1.0, 3.0, 7.5, 2000.0, 99'999.0}) {
    CAPTURE(per_s);
    const auto times = schedule("constant", {.config = rate(per_s)}, 200'000);
    int64_t worst = 0;
    for (size_t k = 0; k < times.size(); ++k) {
      const int64_t exact =
          std::llround(static_cast<long double>(k) * 1e9L / static_cast<long double>(per_s));
      worst = std::max(worst, std::abs(times[k] - exact));
    }
    CHECK(worst <= 1);
  }
  CHECK(schedule("constant", {.config = rate(4)}, 5) ==
        std::vector<int64_t>{0, 250'000'000, 500'000'000, 750'000'000, 1'000'000'000});
}

TEST_CASE("poisson and gamma: the gaps have their distribution (Kolmogorov-Smirnov at 1 %)") {
  constexpr size_t kGaps = 20'000;
  const double limit = 1.628 / std::sqrt(static_cast<double>(kGaps));
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    CHECK(ks_distance(gaps_s(schedule("poisson", {.config = rate(20), .seed = seed}, kGaps)), 1, 0.05) <
          limit);
    for (const double shape : {0.25, 0.5, 1.0, 4.0}) {
      CAPTURE(shape);
      const auto times = schedule("gamma", {.config = rate(20, shape), .seed = seed}, kGaps);
      CHECK(ks_distance(gaps_s(times), shape, 0.05) < limit);
    }
  }
  // The test can fail: the wrong shape is far off.
  CHECK(ks_distance(gaps_s(schedule("gamma", {.config = rate(20, 0.5)}, kGaps)), 1, 0.05) > 3 * limit);
}

TEST_CASE("poisson: the gaps do not depend on each other") {
  const auto gaps = gaps_s(schedule("poisson", {.config = rate(1)}, 20'000));
  double sum = 0;
  for (size_t index = 1; index < gaps.size(); ++index) sum += (gaps[index] - 1) * (gaps[index - 1] - 1);
  CHECK(std::abs(sum / static_cast<double>(gaps.size())) <
        2.58 / std::sqrt(static_cast<double>(gaps.size())));
}

TEST_CASE("open loops: seeds") {
  const auto first = schedule("poisson", {.config = rate(100), .seed = 42}, 1000);
  CHECK(first == schedule("poisson", {.config = rate(100), .seed = 42}, 1000));
  CHECK(first != schedule("poisson", {.config = rate(100), .seed = 43}, 1000));
  CHECK(first == schedule("poisson", {.config = rate(100), .seed = 42, .shard = 1, .shard_count = 3}, 1000));
  // Frozen: a run of today must be repeatable with a build of tomorrow.
  CHECK(shown(schedule("poisson", {.config = rate(100), .seed = 42}, 3)) == "7523726 14126984 61512003");
  CHECK(shown(schedule("gamma", {.config = rate(100, 0.5), .seed = 42}, 3)) == "33791108 37759495 52711545");
}

TEST_CASE("open loops: a rate so low that its times have no number stays at the end of time") {
  for (const char* id : {"constant", "poisson", "gamma"}) {
    const auto times = schedule(id, {.config = "{\"rate\":1e-300}"}, 4);
    CHECK(std::is_sorted(times.begin(), times.end()));
    CHECK(times.back() > 9'000'000'000'000'000'000);
  }
}

TEST_CASE("open loops: options that the core would have refused are refused here too") {
  for (const char* config : {"{}", R"({"rate":0})", R"({"rate":-3})", R"({"rate":"fast"})"}) {
    CAPTURE(config);
    Pattern pattern("poisson", {.config = config});
    CHECK(pattern.status() == TKM_E_CONFIG);
    CHECK(pattern.error().find("\"rate\"") != std::string::npos);
  }
}

}  // namespace

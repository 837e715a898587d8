#include <tokometer/random.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "host.hpp"

// Open loops whose rate changes: burst, ramp, steps, sine, trace. The integrated rates here are written down
// anew, with the C library's functions in long double.
namespace {

using host::Pattern;
using host::Setup;

constexpr int64_t kSecond = 1'000'000'000;

using Integral = std::function<long double(long double t_s)>;  // requests due up to a time

struct Case {
  std::string id, config;
  Integral integral;
  double highest_rate = 0;
  double end_s = INFINITY;
};

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

Case ramp_case(double from, double to, double over, bool exponential) {
  Case it{"ramp",
          "{\"from\":" + number(from) + ",\"to\":" + number(to) + ",\"over\":" + number(over) +
              (exponential ? ",\"shape\":\"exp\"" : ""),
          {},
          std::max(from, to),
          to > 0 ? INFINITY : over};
  const long double f = from, t = to, o = over, growth = exponential ? std::log(t / f) : 0;
  it.integral = [=](long double at) {
    const long double x = std::min(at, o), after = t * std::max(at - o, 0.0L);
    if (exponential) return (growth == 0 ? f * x : f * o / growth * std::expm1(growth * x / o)) + after;
    return f * x + (t - f) * x * x / (2 * o) + after;
  };
  return it;
}

Case steps_case(const std::vector<std::pair<double, double>>& steps) {
  Case it{"steps", "{\"steps\":[", {}, 0, 0};
  for (const auto& [rate, duration] : steps) {
    it.config += (it.end_s > 0 ? ",{\"rate\":" : "{\"rate\":") + number(rate) +
                 ",\"duration\":" + number(duration) + "}";
    it.end_s += duration;
    it.highest_rate = std::max(it.highest_rate, rate);
  }
  it.config += "]";
  it.integral = [steps](long double at) {
    long double count = 0, begin = 0;
    for (const auto& [rate, duration] : steps) {
      count += rate * std::clamp(at - begin, 0.0L, static_cast<long double>(duration));
      begin += duration;
    }
    return count;
  };
  return it;
}

Case sine_case(double mean, double amplitude, double period) {
  return {
      "sine",
      "{\"mean\":" + number(mean) + ",\"amplitude\":" + number(amplitude) + ",\"period\":" + number(period),
      [=](long double at) {
        const long double p = period, turn = 2 * 3.14159265358979323846264338327950288L;
        return mean * at + amplitude * p / turn * (1 - std::cos(turn * at / p));
      },
      mean + amplitude};
}

double log_uniform(tkm::Random& random, double low, double high) {
  return std::exp(random.uniform(std::log(low), std::log(high)));
}

Case random_ramp(tkm::Random& random) {
  const bool exponential = random.chance(0.5), flat = random.chance(0.05);
  double from = log_uniform(random, 0.01, 1e4), to = flat ? from : log_uniform(random, 0.01, 1e4);
  if (exponential && random.chance(0.1)) to = from * (1 + random.uniform(-1e-7, 1e-7));
  if (!exponential && random.chance(0.2)) (random.chance(0.5) ? from : to) = 0;
  return ramp_case(from, to, log_uniform(random, 0.1, 1000), exponential);
}

Case random_steps(tkm::Random& random) {
  std::vector<std::pair<double, double>> steps;
  const int64_t count = random.integer(1, 8);
  for (int64_t i = 0; i < count; ++i) {
    const double round_rate = static_cast<double>(random.integer(1, 100)) / 10;
    const double rate = random.chance(0.5) ? round_rate : log_uniform(random, 0.01, 1e4);
    steps.emplace_back(i > 0 && random.chance(0.2) ? 0 : rate, log_uniform(random, 0.1, 100));
  }
  return steps_case(steps);
}

Case random_sine(tkm::Random& random) {
  const double mean = log_uniform(random, 0.01, 1e4);
  const double part = random.chance(0.2) ? 1 : random.chance(0.2) ? 0 : random.uniform();
  return sine_case(mean, mean * part, log_uniform(random, 0.1, 1e4));
}

// A wild state: nothing in it may matter to an open loop, but the arrival for a trace.
tkm_load_state wild_state(tkm::Random& random) {
  tkm_load_state state{};
  state.struct_size = sizeof state;
  state.active = static_cast<uint32_t>(random.below(1000));
  state.in_flight = static_cast<uint32_t>(random.below(1000));
  state.now_ns = static_cast<int64_t>(random.below(100'000'000'000));
  state.next_arrival_ns = static_cast<int64_t>(random.below(100)) - 1;
  state.released = random.below(10'000), state.completed = random.below(10'000),
  state.failed = random.below(10'000);
  return state;
}

// The first times, up to a number or the end of the load.
std::vector<int64_t> schedule(std::string_view id, const Setup& setup, size_t count,
                              tkm::Random* wild = nullptr) {
  Pattern pattern(id, setup);
  REQUIRE(pattern.error() == "");
  std::vector<int64_t> times;
  while (times.size() < count) {
    const tkm_load_step step = wild != nullptr ? pattern.next(wild_state(*wild)) : pattern.next();
    if (step.action != TKM_LOAD_RELEASE) break;
    times.push_back(step.at_ns);
  }
  return times;
}

long double at_count(const Case& it, int64_t at_ns) {
  return it.integral(static_cast<long double>(at_ns) / 1e9L);
}

// Each release is where the integrated rate reaches its number, as exactly as a whole ns can say.
void check_exact(const Case& it, const std::vector<int64_t>& times) {
  CHECK(std::is_sorted(times.begin(), times.end()));
  CHECK((times.empty() || times.front() >= 0));
  size_t off = 0;
  for (size_t k = 0; k < times.size(); ++k) {
    const auto count = static_cast<long double>(k);
    // Rounded to 1 ns, plus what a double holds of the time and of the count.
    const long double slack = 1e-9L + static_cast<long double>(times[k]) * 4e-25L,
                      dust = 1e-11L * count + 1e-12L;
    const int64_t slack_ns = static_cast<int64_t>(std::ceil(slack * 1e9L));
    const bool early = at_count(it, times[k] + slack_ns) < count - dust;
    const bool late = at_count(it, std::max<int64_t>(times[k] - slack_ns, 0)) > count + dust;
    off += early || late ? 1 : 0;
  }
  CHECK(off == 0);
}

void check_totals(const Case& it, const std::vector<int64_t>& times, tkm::Random& random) {
  for (int i = 0; i < 20 && !times.empty(); ++i) {
    const int64_t at_ns = static_cast<int64_t>(random.uniform() * static_cast<double>(times.back()));
    const auto released = std::upper_bound(times.begin(), times.end(), at_ns) - times.begin();
    const long double due = at_count(it, at_ns), rounding = it.highest_rate * 2e-9 + 1e-9L;
    CHECK(static_cast<long double>(released) >= due - rounding);
    CHECK(static_cast<long double>(released) <= due + 1 + rounding);
  }
}

void check_configurations(const char* stream, Case (*draw)(tkm::Random&)) {
  tkm::Random random(7, stream);
  for (int round = 0; round < 1000; ++round) {
    const Case it = draw(random);
    const bool poisson = random.chance(0.5);
    const Setup setup{.config = it.config + (poisson ? ",\"arrivals\":\"poisson\"}" : "}"),
                      .seed = random.bits()};
    CAPTURE(setup.config);
    CAPTURE(setup.seed);
    const auto times = schedule(it.id, setup, 200);
    CHECK(times == schedule(it.id, setup, 200, &random));
    CHECK(std::is_sorted(times.begin(), times.end()));
    if (poisson) continue;
    check_exact(it, times);
    check_totals(it, times, random);
    if (times.size() < 200) {
      const long double total = it.integral(it.end_s);
      CHECK(std::abs(static_cast<long double>(times.size()) - total) <= 1);
    }
  }
}

TEST_CASE("ramp: 1,000 random configurations follow the integrated rate, whatever happens") {
  check_configurations("ramp", random_ramp);
}
TEST_CASE("steps: 1,000 random configurations follow the integrated rate, whatever happens") {
  check_configurations("steps", random_steps);
}
TEST_CASE("sine: 1,000 random configurations follow the integrated rate, whatever happens") {
  check_configurations("sine", random_sine);
}

TEST_CASE("burst: 1,000 random configurations have each burst whole and the base rate between them") {
  tkm::Random random(7, "burst");
  for (int round = 0; round < 1000; ++round) {
    const int64_t size = random.integer(1, 50);
    const double every = log_uniform(random, 1e-4, 100);
    const double base = random.chance(0.3) ? 0 : log_uniform(random, 0.01, 1e4);
    const bool poisson = random.chance(0.3);
    const Setup setup{.config = "{\"size\":" + std::to_string(size) + ",\"every\":" + number(every) +
                                ",\"base_rate\":" + number(base) +
                                (poisson ? ",\"arrivals\":\"poisson\"}" : "}"),
                      .seed = random.bits()};
    CAPTURE(setup.config);
    auto times = schedule("burst", setup, 500);
    CHECK(times == schedule("burst", setup, 500, &random));
    CHECK(std::is_sorted(times.begin(), times.end()));
    const int64_t last_ns = times.back();
    std::vector<int64_t> expected;
    for (int64_t k = 0; std::llround(static_cast<double>(k) * every * 1e9) < last_ns; ++k) {
      expected.insert(expected.end(), static_cast<size_t>(size),
                      std::llround(static_cast<double>(k) * every * 1e9));
    }
    std::vector<int64_t> left, missing;
    std::erase(times, last_ns);  // its burst may be cut by the count
    std::set_difference(times.begin(), times.end(), expected.begin(), expected.end(),
                        std::back_inserter(left));
    std::set_difference(expected.begin(), expected.end(), times.begin(), times.end(),
                        std::back_inserter(missing));
    CHECK(missing.empty());
    if (base == 0) CHECK(left.empty());
    if (base > 0 && !poisson) {
      const double due = base * static_cast<double>(last_ns) / 1e9;
      CHECK(std::abs(static_cast<double>(left.size()) - due) <= 1 + base * 2e-9);
    }
  }
}

TEST_CASE("trace: 1,000 random traces are followed, divided by the speed, whatever happens") {
  tkm::Random random(7, "trace");
  for (int round = 0; round < 1000; ++round) {
    const double speed = random.chance(0.3) ? 1 : log_uniform(random, 0.01, 100);
    Pattern pattern("trace", {.config = "{\"speed\":" + number(speed) + "}"});
    int64_t arrival_ns = 0;
    const int64_t count = random.integer(0, 100);
    for (int64_t i = 0; i < count; ++i) {
      tkm_load_state state = wild_state(random);
      state.next_arrival_ns = arrival_ns;
      const tkm_load_step step = pattern.next(state);
      REQUIRE(step.action == TKM_LOAD_RELEASE);
      const long double exact = static_cast<long double>(arrival_ns) / static_cast<long double>(speed);
      CHECK(std::abs(static_cast<long double>(step.at_ns) - exact) <= 0.5L + exact * 3e-16L);
      if (speed == 1) CHECK(step.at_ns == arrival_ns);
      if (random.chance(0.8)) arrival_ns += static_cast<int64_t>(log_uniform(random, 1, 1e12));
    }
    for (int i = 0; i < 3; ++i) {  // the end of the data is the end for good
      tkm_load_state state = wild_state(random);
      state.next_arrival_ns = i == 0 ? -1 : 5;
      CHECK(pattern.next(state).action == TKM_LOAD_DONE);
    }
  }
}

TEST_CASE("a rate that falls to 0 for ever: the load ends with the time of the plan, and stays ended") {
  const Case cases[] = {steps_case({{10, 2}, {0, 3}, {5, 1}, {0, 4}}), steps_case({{0.1, 30}, {0.1, 30}}),
                        ramp_case(10, 0, 20, false)};
  const size_t totals[] = {25, 6, 100};
  for (size_t i = 0; i < std::size(cases); ++i) {
    const Case& it = cases[i];
    CAPTURE(it.config);
    Pattern pattern(it.id, {.config = it.config + "}"});
    size_t released = 0;
    while (pattern.next().action == TKM_LOAD_RELEASE) ++released;
    CHECK(released == totals[i]);
    const auto end_ns = static_cast<int64_t>(it.end_s) * kSecond;
    CHECK(pattern.next(end_ns - 1).action == TKM_LOAD_WAIT);
    CHECK(pattern.next(end_ns - 1).at_ns == end_ns);
    CHECK(pattern.next(end_ns).action == TKM_LOAD_DONE);
    CHECK(pattern.next(0).action == TKM_LOAD_DONE);
  }
}

TEST_CASE("simple schedules, to the nanosecond") {
  CHECK(schedule("steps", {.config = steps_case({{2, 1}, {0, 1}, {4, 0.5}}).config + "}"}, 9) ==
        std::vector<int64_t>{0, kSecond / 2, 2 * kSecond, 2'250'000'000});
  // 1 + t / 2 a second: t + t^2 / 4 = k.
  CHECK(schedule("ramp", {.config = ramp_case(1, 6, 10, false).config + "}"}, 4) ==
        std::vector<int64_t>{0, 828'427'125, 1'464'101'615, 2 * kSecond});
  CHECK(schedule("ramp", {.config = ramp_case(1, 2, 10, true).config + "}"}, 3) ==
        std::vector<int64_t>{0, 966'865'260, 1'872'983'022});
  CHECK(schedule("sine", {.config = sine_case(10, 10, 1).config + "}"}, 11).back() == kSecond);
  CHECK(schedule("burst", {.config = R"({"size":2,"every":1,"base_rate":2})"}, 8) ==
        std::vector<int64_t>{0, 0, 0, kSecond / 2, kSecond, kSecond, kSecond, 3 * kSecond / 2});
}

TEST_CASE("nothing adds up: the two millionth request is where it belongs") {
  for (const Case& it :
       {sine_case(1000, 900, 7), ramp_case(1, 1000, 60, true), ramp_case(0, 1000, 60, false)}) {
    CAPTURE(it.config);
    const auto times = schedule(it.id, {.config = it.config + "}"}, 2'000'001);
    CHECK(std::abs(at_count(it, times.back()) - 2'000'000) < 1e-6L);
  }
}

// Largest distance between the empirical distribution and the exponential one of mean 1.
double ks_distance(std::vector<double> gaps) {
  std::sort(gaps.begin(), gaps.end());
  const auto count = static_cast<double>(gaps.size());
  double worst = 0;
  for (size_t i = 0; i < gaps.size(); ++i) {
    const double expected = -std::expm1(-gaps[i]);
    worst = std::max(
        {worst, expected - static_cast<double>(i) / count, static_cast<double>(i + 1) / count - expected});
  }
  return worst;
}

std::vector<double> rescaled_gaps(const std::vector<int64_t>& times, const Integral& integral) {
  std::vector<double> gaps;
  long double last = 0;
  for (const int64_t at_ns : times) {
    const long double count = integral(static_cast<long double>(at_ns) / 1e9L);
    gaps.push_back(static_cast<double>(count - last));
    last = count;
  }
  return gaps;
}

TEST_CASE("poisson arrivals: rescaled by the rate, the gaps are exponential (Kolmogorov-Smirnov at 1 %)") {
  constexpr size_t kGaps = 20'000;
  const double limit = 1.628 / std::sqrt(static_cast<double>(kGaps));
  const Case cases[] = {
      ramp_case(0, 100, 200, false), ramp_case(100, 1, 300, false),
      ramp_case(1, 200, 300, true),  sine_case(50, 50, 30),
      sine_case(50, 20, 1),          steps_case({{10, 100}, {0, 50}, {200, 50}, {60, 1000}})};
  for (const Case& it : cases) {
    CAPTURE(it.config);
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      CAPTURE(seed);
      const auto times =
          schedule(it.id, {.config = it.config + ",\"arrivals\":\"poisson\"}", .seed = seed}, kGaps);
      REQUIRE(times.size() == kGaps);
      CHECK(ks_distance(rescaled_gaps(times, it.integral)) < limit);
    }
    // The test can fail: even spacing, and another rate, are far off.
    CHECK(ks_distance(rescaled_gaps(schedule(it.id, {.config = it.config + "}"}, kGaps), it.integral)) > 0.3);
  }
  const auto swinging = schedule("sine", {.config = cases[3].config + ",\"arrivals\":\"poisson\"}"}, kGaps);
  CHECK(ks_distance(rescaled_gaps(swinging, [](long double at) { return 50 * at; })) > 3 * limit);
  const auto times = schedule(
      "burst", {.config = R"({"size":1,"every":1000000,"base_rate":50,"arrivals":"poisson"})"}, kGaps + 1);
  CHECK(ks_distance(rescaled_gaps({times.begin() + 1, times.end()}, [](long double at) { return 50 * at; })) <
        limit);
}

TEST_CASE("seeds and shards") {
  const std::string configs[] = {R"({"from":1,"to":100,"over":10,"arrivals":"poisson"})",
                                 R"({"steps":[{"rate":50,"duration":100}],"arrivals":"poisson"})",
                                 R"({"mean":50,"amplitude":20,"period":10,"arrivals":"poisson"})",
                                 R"({"size":3,"every":1,"base_rate":50,"arrivals":"poisson"})"};
  const std::string ids[] = {"ramp", "steps", "sine", "burst"};
  for (size_t i = 0; i < std::size(ids); ++i) {
    CAPTURE(ids[i]);
    const auto first = schedule(ids[i], {.config = configs[i], .seed = 42}, 1000);
    CHECK(first == schedule(ids[i], {.config = configs[i], .seed = 42}, 1000));
    CHECK(first == schedule(ids[i], {.config = configs[i], .seed = 42, .shard = 2, .shard_count = 3}, 1000));
    CHECK(first != schedule(ids[i], {.config = configs[i], .seed = 43}, 1000));
  }
  // Frozen: a run of today must be repeatable with a build of tomorrow.
  const auto sine = schedule("sine", {.config = configs[2], .seed = 42}, 3);
  CHECK(sine == std::vector<int64_t>{43'156'678, 105'002'143, 131'897'800});
}

TEST_CASE("options that do not fit together are refused with a reason") {
  struct Bad {
    const char *id, *config, *sentence;
  };
  const Bad cases[] = {
      {"ramp", R"({"from":0,"to":0,"over":1})", "from, to: one of the two rates must be above 0"},
      {"ramp", R"({"from":0,"to":5,"over":1,"shape":"exp"})",
       "from: a rate of 0 has no place in an exponential ramp; use a small one, or shape: linear"},
      {"ramp", R"({"from":5,"to":0,"over":1,"shape":"exp"})",
       "to: a rate of 0 has no place in an exponential ramp; use a small one, or shape: linear"},
      {"steps", R"({"steps":[{"rate":0,"duration":5}]})", "steps: at least one of the rates must be above 0"},
      {"sine", R"({"mean":5,"amplitude":6,"period":1})",
       "amplitude: 6 is above the mean 5: the rate would fall below 0"},
      {"ramp_users", R"({"from":0,"to":0,"over":1})",
       "from, to: one of the two numbers of users must be above 0"},
      {"ramp_users", R"({"from":0,"to":4,"over":1,"shape":"exp"})",
       "from: 0 users have no place in an exponential ramp; use 1, or shape: linear"},
  };
  for (const Bad& it : cases) {
    Pattern pattern(it.id, {.config = it.config});
    CHECK(pattern.status() == TKM_E_CONFIG);
    CHECK(pattern.error() == it.sentence);
  }
}

}  // namespace

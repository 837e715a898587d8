#include <tokometer/random.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "host.hpp"
#include "simulation.hpp"

namespace {

using host::Pattern;

using host::Simulation;

constexpr int64_t kNever = INT64_MAX;
constexpr int64_t kSecond = 1'000'000'000;

std::string users(int64_t count, const std::string& more = "") {
  return "{\"users\":" + std::to_string(count) + more + "}";
}

TEST_CASE("concurrency: users all start at once, and each end releases one at its own time") {
  Pattern pattern("concurrency", {.config = users(3)});
  for (uint32_t active = 0; active < 3; ++active) {
    const tkm_load_step step = pattern.next(0, active);
    CHECK(step.action == TKM_LOAD_RELEASE);
    CHECK(step.at_ns == 0);
    CHECK(step.users == active + 1);
  }
  CHECK(pattern.next(0, 3).action == TKM_LOAD_WAIT);
  CHECK(pattern.next(0, 3).at_ns == kNever);
  CHECK(pattern.next(0, 3).users == 3);
  CHECK(pattern.next(500, 2, 1).at_ns == 500);
  CHECK(pattern.next(500, 3, 1).action == TKM_LOAD_WAIT);
  CHECK(pattern.next(400, 2, 2).at_ns == 400);  // reported late: an end before the last one
}

TEST_CASE("concurrency: think time counts from the end") {
  Pattern pattern("concurrency", {.config = users(1, R"(,"think_time":2.5)")});
  CHECK(pattern.next(0, 0).at_ns == 0);
  CHECK(pattern.next(0, 1).action == TKM_LOAD_WAIT);
  const tkm_load_step step = pattern.next(7 * kSecond, 0, 1);
  CHECK(step.action == TKM_LOAD_RELEASE);
  CHECK(step.at_ns == 9'500'000'000);
  CHECK(pattern.next(7 * kSecond, 1, 1).action == TKM_LOAD_WAIT);  // thinking is active
}

TEST_CASE("concurrency: think time from a distribution") {
  struct Case {
    const char* json;
    double mean_s, tolerance_s, shortest_s, longest_s;
  };
  const Case cases[] = {
      {R"({"distribution":"exponential","mean":2})", 2, 0.15, 0, 1e9},
      {R"({"distribution":"uniform","min":1,"max":3})", 2, 0.1, 1, 3},
      {R"({"distribution":"normal","mean":2,"stddev":0.5,"min":1.5,"max":2.5})", 2, 0.05, 1.5, 2.5},
      {R"({"distribution":"lognormal","mean":2,"stddev":1})", 2, 0.1, 0, 1e9},
      {R"({"distribution":"fixed","mean":0.25})", 0.25, 1e-9, 0.25, 0.25},
      {R"({"mean":0.25})", 0.25, 1e-9, 0.25, 0.25}};
  for (const Case& it : cases) {
    CAPTURE(it.json);
    Pattern pattern("concurrency",
                    {.config = users(1, ",\"think_time\":" + std::string(it.json)), .seed = 3});
    REQUIRE(pattern.error() == "");
    Simulation run(
        pattern, [](int64_t) { return kSecond; }, 1, 1);
    run.run_until(8000 * kSecond);
    double sum = 0;
    for (size_t index = 1; index < run.releases.size(); ++index) {
      const double thought = static_cast<double>(run.releases[index] - run.plans[index]) / 1e9;
      CHECK(thought >= it.shortest_s);
      CHECK(thought <= it.longest_s);
      sum += thought;
    }
    CHECK(sum / static_cast<double>(run.releases.size() - 1) ==
          doctest::Approx(it.mean_s).epsilon(it.tolerance_s));
  }
}

TEST_CASE("concurrency: the ramp spreads the starts evenly") {
  Pattern pattern("concurrency", {.config = users(4, R"(,"ramp_up":20)")});
  Simulation run(
      pattern, [](int64_t) { return 1000 * kSecond; }, kSecond, 1);
  run.run_until(100 * kSecond);
  CHECK(run.releases == std::vector<int64_t>{0, 5 * kSecond, 10 * kSecond, 15 * kSecond});
  CHECK(run.users == 4);
}

TEST_CASE("concurrency: users that come back during the ramp neither hasten nor delay it") {
  Pattern pattern("concurrency", {.config = users(10, R"(,"ramp_up":10)")});
  Simulation run(
      pattern, [](int64_t) { return kSecond / 2; }, kSecond / 100, 1);
  run.run_until(30 * kSecond);
  CHECK(run.most_active == 10);
  CHECK(run.active == 10);
  uint32_t in_first_second = 0;
  for (const int64_t at : run.releases) in_first_second += at < kSecond ? 1 : 0;
  CHECK(in_first_second == 2);  // one user, two requests
}

TEST_CASE(
    "closed loops: 300 random loads, ends out of order: exact numbers of users, no deadlock, few calls") {
  tkm::Random random(11, "loads");
  for (int round = 0; round < 300; ++round) {
    const int64_t count = random.integer(1, 60);
    const double ramp_s = random.chance(0.5) ? random.uniform(0, 5) : 0;
    const double think_s = random.chance(0.5) ? random.uniform(0, 2) : 0;
    const std::string config =
        users(count, ",\"ramp_up\":" + std::to_string(ramp_s) + ",\"think_time\":" + std::to_string(think_s));
    CAPTURE(config);
    Pattern pattern("concurrency", {.config = config, .seed = random.bits()});
    tkm::Random service(random.bits(), "service");
    Simulation run(
        pattern, [&](int64_t) { return static_cast<int64_t>(service.exponential(3e8)); },
        random.integer(1, 200'000'000), random.bits());
    run.run_until(20 * kSecond);
    CHECK_FALSE(run.deadlock);
    CHECK(run.most_active == count);
    CHECK(run.active == count);
    CHECK(run.users == count);
    CHECK(run.releases.size() == run.ended + run.active);
    CHECK(run.calls <= 2 * run.releases.size() + 2 * static_cast<size_t>(count) + run.ended);
  }
}

TEST_CASE("concurrency: shards add up to the whole, user by user") {
  for (const int64_t count : {1, 2, 5, 7, 16, 50}) {
    for (const uint32_t shards : {1u, 2u, 3u, 7u}) {
      CAPTURE(count);
      CAPTURE(shards);
      std::vector<int64_t> starts, whole;
      for (uint32_t shard = 0; shard < shards; ++shard) {
        Pattern pattern("concurrency",
                        {.config = users(count, R"(,"ramp_up":60)"), .shard = shard, .shard_count = shards});
        Simulation run(
            pattern, [](int64_t) { return 1000 * kSecond; }, kSecond, 1);
        run.run_until(100 * kSecond);
        CHECK_FALSE(run.deadlock);  // a shard without users is done, it does not wait for ever
        starts.insert(starts.end(), run.releases.begin(), run.releases.end());
      }
      std::sort(starts.begin(), starts.end());
      for (int64_t user = 0; user < count; ++user) {
        whole.push_back(std::llround(60e9 * static_cast<double>(user) / static_cast<double>(count)));
      }
      CHECK(starts == whole);
    }
  }
}

TEST_CASE("concurrency: a shard without users is done, for good") {
  Pattern pattern("concurrency", {.config = users(2), .shard = 2, .shard_count = 3});
  CHECK(pattern.next().action == TKM_LOAD_DONE);
  CHECK(pattern.next().action == TKM_LOAD_DONE);
}

TEST_CASE("synchronous is one user, throughput 512") {
  Pattern one("synchronous", {});
  CHECK(one.next(0, 0).at_ns == 0);
  CHECK(one.next(0, 1).action == TKM_LOAD_WAIT);
  CHECK(one.next(9, 0, 1).at_ns == 9);
  Pattern all("throughput", {});
  Simulation run(
      all, [](int64_t) { return kSecond; }, kSecond, 1);
  run.run_until(kSecond / 2);
  CHECK(run.active == 512);
  Pattern some("throughput", {.config = users(64)});
  Simulation fewer(
      some, [](int64_t) { return kSecond; }, kSecond, 1);
  fewer.run_until(kSecond / 2);
  CHECK(fewer.active == 64);
}

TEST_CASE("concurrency: options that do not fit together") {
  struct Case {
    const char *think_time, *sentence;
  };
  const Case cases[] = {
      {R"({"distribution":"normal","mean":2})", R"(think_time: distribution "normal" needs "stddev")"},
      {R"({"distribution":"uniform","min":1,"mean":2,"max":3})",
       R"(think_time: distribution "uniform" has no "mean")"},
      {R"({"distribution":"uniform","min":3,"max":1})", "think_time: min 3 is above max 1"},
      {R"({"distribution":"exponential"})", R"(think_time: distribution "exponential" needs "mean")"},
      {R"({"distribution":"lognormal","mean":0,"stddev":1})",
       "think_time: a lognormal mean must be > 0 (got 0)"},
  };
  for (const Case& it : cases) {
    Pattern pattern("concurrency", {.config = users(1, ",\"think_time\":" + std::string(it.think_time))});
    CHECK(pattern.status() == TKM_E_CONFIG);
    CHECK(pattern.error() == it.sentence);
  }
}

}  // namespace

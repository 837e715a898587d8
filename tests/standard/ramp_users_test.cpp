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

struct Ramp {
  int64_t from, to;
  double over_s;
  bool exponential;

  std::string config() const {
    return "{\"from\":" + std::to_string(from) + ",\"to\":" + std::to_string(to) +
           ",\"over\":" + std::to_string(over_s) + (exponential ? ",\"shape\":\"exp\"}" : "}");
  }
  // When the ramp is at so many users.
  double reached_s(int64_t users) const {
    const double from_users = static_cast<double>(from), to_users = static_cast<double>(to),
                 at = static_cast<double>(users);
    if (exponential) return over_s * std::log(at / from_users) / std::log(to_users / from_users);
    return over_s * (at - from_users) / (to_users - from_users);
  }
};

std::vector<int64_t> sorted_releases(const Ramp& ramp, uint32_t shards, int64_t service_ns, int64_t batch_ns,
                                     int64_t stop_ns) {
  std::vector<int64_t> releases;
  for (uint32_t shard = 0; shard < shards; ++shard) {
    Pattern pattern("ramp_users", {.config = ramp.config(), .shard = shard, .shard_count = shards});
    Simulation run(
        pattern, [=](int64_t) { return service_ns; }, batch_ns, 1);
    run.run_until(stop_ns);
    CHECK_FALSE(run.deadlock);
    releases.insert(releases.end(), run.releases.begin(), run.releases.end());
  }
  std::sort(releases.begin(), releases.end());
  return releases;
}

TEST_CASE("ramp_users: on the way up each user comes when the ramp reaches it, the last one at the end") {
  Pattern pattern("ramp_users", {.config = R"({"from":1,"to":5,"over":20})"});
  Simulation run(
      pattern, [](int64_t) { return 1000 * kSecond; }, kSecond, 1);
  run.run_until(100 * kSecond);
  CHECK(run.releases == std::vector<int64_t>{0, 5 * kSecond, 10 * kSecond, 15 * kSecond, 20 * kSecond});
  CHECK(run.users == 5);
  Pattern doubling("ramp_users", {.config = R"({"from":1,"to":8,"over":30,"shape":"exp"})"});
  Simulation faster(
      doubling, [](int64_t) { return 1000 * kSecond; }, kSecond, 1);
  faster.run_until(100 * kSecond);
  REQUIRE(faster.releases.size() == 8);
  CHECK(faster.releases[1] == 10 * kSecond);
  CHECK(faster.releases[3] == 20 * kSecond);
  CHECK(faster.releases[7] == 30 * kSecond);
}

TEST_CASE("ramp_users: on the way down a user leaves after its last answer, and the number wanted is told") {
  Pattern pattern("ramp_users", {.config = R"({"from":3,"to":1,"over":20})"});
  for (uint32_t active = 0; active < 3; ++active) CHECK(pattern.next(0, active).at_ns == 0);
  tkm_load_step step = pattern.next(0, 3);
  CHECK(step.action == TKM_LOAD_WAIT);
  CHECK(step.at_ns == 10 * kSecond);
  CHECK(step.users == 3);
  CHECK(pattern.next(9 * kSecond, 2, 1).action == TKM_LOAD_RELEASE);  // too early to leave
  step = pattern.next(10 * kSecond, 3, 1);
  CHECK(step.users == 2);
  CHECK(step.at_ns == 20 * kSecond);
  CHECK(pattern.next(11 * kSecond, 2, 2).action == TKM_LOAD_WAIT);  // it has left
  CHECK(pattern.next(12 * kSecond, 1, 3).at_ns == 12 * kSecond);    // the other two go on
  step = pattern.next(20 * kSecond, 2, 3);
  CHECK(step.users == 1);
  CHECK(step.at_ns == kNever);
  CHECK(pattern.next(25 * kSecond, 1, 4).action == TKM_LOAD_WAIT);
  CHECK(pattern.next(30 * kSecond, 0, 5).at_ns == 30 * kSecond);
}

TEST_CASE("ramp_users: who would still think when it has to leave sends nothing more") {
  Pattern pattern("ramp_users", {.config = R"({"from":2,"to":0,"over":20,"think_time":5})"});
  CHECK(pattern.next(0, 0).action == TKM_LOAD_RELEASE);
  CHECK(pattern.next(0, 1).action == TKM_LOAD_RELEASE);
  CHECK(pattern.next(6 * kSecond, 1, 1).action == TKM_LOAD_WAIT);  // 6 + 5 > 10: the first one leaves
  CHECK(pattern.next(7 * kSecond, 0, 2).at_ns == 12 * kSecond);
  CHECK(pattern.next(15 * kSecond, 0, 3).action == TKM_LOAD_DONE);  // 15 + 5 is the end
  CHECK(pattern.next(15 * kSecond, 0, 3).action == TKM_LOAD_DONE);
  CHECK(pattern.next(50 * kSecond, 0, 3).action == TKM_LOAD_DONE);
}

TEST_CASE("ramp_users: 1,000 random ramps: the users come and go in time, and shards add up to the whole") {
  tkm::Random random(5, "ramps");
  for (int round = 0; round < 1000; ++round) {
    const bool exponential = random.chance(0.5);
    Ramp ramp{random.integer(exponential ? 1 : 0, 40), random.integer(exponential ? 1 : 0, 40),
              random.uniform(0.1, 20), exponential};
    if (ramp.from == 0 && ramp.to == 0) ramp.to = 1;
    ramp.over_s = std::round(ramp.over_s * 1000) / 1000;
    CAPTURE(ramp.config());
    const int64_t service_ns = random.integer(50'000'000, 2 * kSecond),
                  batch_ns = random.integer(1, kSecond / 5);
    const int64_t stop_ns = 25 * kSecond;

    Pattern pattern("ramp_users", {.config = ramp.config(), .seed = random.bits()});
    Simulation run(
        pattern, [=](int64_t) { return service_ns; }, batch_ns, random.bits());
    run.run_until(stop_ns);
    CHECK_FALSE(run.deadlock);
    CHECK(run.most_active == std::max(ramp.from, ramp.to));
    CHECK(run.active == ramp.to);
    CHECK((run.users == ramp.to || ramp.to == 0));
    if (ramp.to == 0) CHECK(pattern.next(stop_ns).action == TKM_LOAD_DONE);

    std::vector<int64_t> releases = run.releases;
    std::sort(releases.begin(), releases.end());
    // In any span of one service time each user sends once: the releases count the users.
    for (int i = 0; i < 5; ++i) {
      const int64_t at_ns = random.integer(service_ns, 22 * kSecond);
      const auto sent = std::upper_bound(releases.begin(), releases.end(), at_ns) -
                        std::upper_bound(releases.begin(), releases.end(), at_ns - service_ns);
      int64_t least = 0, most = 0;
      for (int64_t user = 0; user < std::max(ramp.from, ramp.to); ++user) {
        const double from_s = user < ramp.from ? -1 : ramp.reached_s(user + 1);
        const double to_s = ramp.to >= ramp.from || user < ramp.to ? 1e9 : ramp.reached_s(user);
        const double now_s = static_cast<double>(at_ns) / 1e9,
                     before_s = now_s - static_cast<double>(service_ns) / 1e9;
        least += from_s < now_s - 1e-6 && to_s > now_s + 1e-6 ? 1 : 0;
        most += from_s < now_s + 1e-6 && to_s > before_s - 1e-6 ? 1 : 0;
      }
      CHECK(sent >= least);
      CHECK(sent <= most);
    }
    const uint32_t shards = static_cast<uint32_t>(random.integer(2, 5));
    CHECK(releases == sorted_releases(ramp, shards, service_ns, batch_ns, stop_ns));
  }
}

}  // namespace

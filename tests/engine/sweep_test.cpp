#include "engine/sweep.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

namespace tokometer {
namespace {

using Method = RunFile::Sweep::Method;
using Server = std::function<PointResult(const SweepPoint&)>;

RunFile::Sweep sweep_of(Method method) {
  RunFile::Sweep sweep;
  sweep.method = method;
  sweep.point.duration_ns = 30'000'000'000;
  return sweep;
}

// Runs a sweep against a server that exists as a function alone; gives the names of its points.
std::vector<std::string> run(SweepPlanner& planner, const Server& server,
                             std::vector<SweepPoint>* all = nullptr) {
  std::vector<std::string> names;
  while (const auto point = planner.next()) {
    REQUIRE(names.size() < 100);
    names.push_back(point->name);
    if (all != nullptr) all->push_back(*point);
    planner.ended(server(*point));
  }
  return names;
}

std::vector<std::string> run(const RunFile::Sweep& sweep, const Server& server, bool whole = false) {
  SweepPlanner planner(sweep, whole ? "concurrency" : "constant", whole);
  return run(planner, server);
}

// One request takes a second alone; the server completes `most` per second at best.
Server server_of(double most) {
  return [most](const SweepPoint& point) {
    PointResult result;
    result.completed_per_s = point.load == SweepPoint::Load::synchronous ? 1 : most;
    if (point.value) result.completed_per_s = std::min(*point.value, most);
    result.over = point.value && *point.value > most;
    result.gates_hold = !point.value || *point.value <= 0.8 * most;
    return result;
  };
}

using Names = std::vector<std::string>;

TEST_CASE("list: the values in their order, each under a name of its own") {
  auto sweep = sweep_of(Method::list);
  sweep.values = {{"", 10}, {"synchronous", 0}, {"", 2.5}, {"", 10}, {"throughput", 0}};
  CHECK(run(sweep, server_of(100)) ==
        Names{"constant@10", "synchronous", "constant@2.5", "constant@10-2", "throughput"});
}

TEST_CASE("two points in a row that are over end a sweep, unless it shall never stop") {
  auto sweep = sweep_of(Method::list);
  for (const double value : {5, 15, 8, 12, 13, 14, 3}) sweep.values.push_back({"", value});
  CHECK(run(sweep, server_of(10)) ==
        Names{"constant@5", "constant@15", "constant@8", "constant@12", "constant@13"});
  sweep.stop = RunFile::Sweep::Stop::never;
  CHECK(run(sweep, server_of(10)).size() == 7);
}

TEST_CASE("even: one request at a time, all there is, and equal steps between") {
  auto sweep = sweep_of(Method::even);
  sweep.points = 5;
  CHECK(run(sweep, server_of(10)) ==
        Names{"synchronous", "throughput", "constant@4", "constant@7", "constant@10"});
  sweep.points = 3;
  CHECK(run(sweep, server_of(10)) == Names{"synchronous", "throughput", "constant@10"});
  // One at a time is all that it can do: the steps begin at nothing.
  sweep.points = 4;
  CHECK(run(sweep, server_of(1)) == Names{"synchronous", "throughput", "constant@0.5", "constant@1"});
}

TEST_CASE("even: rates have four digits, and a server that completes nothing gives none") {
  auto sweep = sweep_of(Method::even);
  sweep.points = 5;
  CHECK(run(sweep, server_of(7.777777))[2] == "constant@3.259");
  SweepPlanner planner(sweep, "constant", false);
  CHECK(run(planner, [](const SweepPoint&) { return PointResult{}; }) == Names{"synchronous", "throughput"});
  CHECK(planner.fault().find("no request was completed") != std::string::npos);
}

TEST_CASE("bisect: closes in on the highest value that holds, and confirms it for longer") {
  for (const double most : {2.0, 20.0, 90.0}) {
    CAPTURE(most);
    auto sweep = sweep_of(Method::bisect);
    sweep.between = {1, 100};
    SweepPlanner planner(sweep, "constant", false);
    std::vector<SweepPoint> points;
    run(planner, server_of(most), &points);
    CHECK(points.size() <= 15);
    const SweepPoint& last = points.back();
    CHECK(last.duration_ns == 3 * *sweep.point.duration_ns);
    CHECK(*last.value <= 0.8 * most);
    CHECK(*last.value >= 0.8 * most * 0.94);
  }
}

TEST_CASE("bisect: the edges of its range") {
  auto sweep = sweep_of(Method::bisect);
  sweep.between = {1, 100};
  CHECK(run(sweep, server_of(1000)) == Names{"constant@1", "constant@100", "constant@100-2"});
  CHECK(run(sweep, server_of(1)) == Names{"constant@1"});
  sweep.between.reset();
  const Names names = run(sweep, server_of(10));
  REQUIRE(names.size() > 4);
  CHECK(Names(names.begin(), names.begin() + 4) ==
        Names{"synchronous", "throughput", "constant@1", "constant@10"});
}

TEST_CASE("bisect: whole numbers end at neighbours") {
  auto sweep = sweep_of(Method::bisect);
  sweep.between = {1, 9};
  CHECK(run(sweep, server_of(5), true) == Names{"concurrency@1", "concurrency@9", "concurrency@5",
                                                "concurrency@3", "concurrency@4", "concurrency@4-2"});
}

TEST_CASE("bisect: a value that does not stand the longer look is given up for a lower one") {
  auto sweep = sweep_of(Method::bisect);
  sweep.between = {1, 100};
  const int64_t usual_ns = *sweep.point.duration_ns;
  std::vector<SweepPoint> points;
  SweepPlanner planner(sweep, "constant", false);
  run(
      planner,
      [&](const SweepPoint& point) {
        const double most = point.duration_ns > usual_ns ? 30 : 50;
        return PointResult{.completed_per_s = 1, .over = false, .gates_hold = *point.value <= most};
      },
      &points);
  CHECK(points.back().duration_ns == 3 * usual_ns);
  CHECK(*points.back().value <= 30);
  CHECK(*points.back().value > 25);
}

}  // namespace
}  // namespace tokometer

// Which point of a sweep comes next, from the results so far: pure logic, no clock, no I/O. The load driver
// asks, runs the point as a phase, and tells how it ended.
//
//   SweepPlanner planner(sweep, "constant", false);
//   while (auto point = planner.next()) planner.ended(run(*point));
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "config/run_file.hpp"

namespace tokometer {

struct SweepPoint {
  enum class Load { run_file, synchronous, throughput };  // whose pattern it is
  std::string name;                                       // "constant@4.77": of its phase, unique
  Load load = Load::run_file;
  std::optional<double> value;  // of the option in which the points differ
  int64_t duration_ns = 0;
};

struct PointResult {
  double completed_per_s = 0;  // in the measure window
  bool over = false;           // its backlog grew, or its errors passed the budget
  bool gates_hold = true;
};

class SweepPlanner {
 public:
  // `pattern`: what points are called by. `whole`: the option takes whole numbers only.
  SweepPlanner(const RunFile::Sweep& sweep, std::string pattern, bool whole);

  // Nothing: the sweep is over. Ask again only after ended().
  std::optional<SweepPoint> next();
  void ended(const PointResult& result);

  // How many points there are at most; 0: that depends on the results.
  uint64_t planned() const;

  const std::string& fault() const { return fault_; }  // not empty: why no further point could be chosen

 private:
  void closed(SweepPoint::Load load);
  void value(double number, int64_t duration_ns);
  void choose_even();
  void choose_bisect();
  void confirm();
  std::optional<double> between(double low, double high) const;
  std::string unique_name(const std::string& wanted);

  const RunFile::Sweep sweep_;
  const std::string pattern_;
  const bool whole_;
  std::deque<SweepPoint> queue_;
  std::optional<SweepPoint> current_;
  std::set<std::string> names_;
  bool chosen_ = false;  // even, bisect without `between`: the rates are known and used
  double synchronous_per_s_ = 0, throughput_per_s_ = 0;
  int over_in_a_row_ = 0;
  bool stopped_ = false;
  // bisect:
  double low_ = 0, high_ = 0;
  std::set<double> held_;
  std::optional<double> fails_;  // the lowest that does
  bool confirming_ = false;
  std::string fault_;
};

}  // namespace tokometer

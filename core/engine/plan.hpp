// What a run will do, fixed before it starts: the run file with its plugins found and its automatic values
// chosen. Immutable and printable. No socket is opened here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/scheduler.hpp"
#include "engine/sweep.hpp"
#include "plugin/registry.hpp"

namespace tokometer {

struct PhasePlan {
  RunFile::Phase file;
  const Component* load = nullptr;
  bool open_loop = true;
  bool unsteady =
      false;  // the pattern's load is meant to change: no automatic warm-up, no steady-state check
  uint64_t seed = 0;
  PhaseLimits limits;
  std::optional<double> value;  // of a point of a sweep: that of the option in which they differ
};

// A sweep, whose points are chosen while it runs (sweep.hpp): what they are made of.
struct SweepPlan {
  const Component *load = nullptr, *synchronous = nullptr, *throughput = nullptr;
  std::string pattern;  // what points are called by: "constant"
  bool whole = false;   // the option in which they differ takes whole numbers only
};

struct Plan {
  RunFile file;
  const Component* processor = nullptr;
  const Component* dataset = nullptr;
  std::vector<PhasePlan> phases;  // of a sweep: the points that are known before it starts
  std::optional<SweepPlan> sweep;
  uint32_t io_threads = 1;
  uint64_t max_in_flight = 0;
  bool spin = false;  // workers spin for the last 150 us before a send; off on two cores or fewer
  std::string hash;   // SHA-256: equal for equal load, whatever the target
};

// How read_run_file() learns the options of the plugins that a file names.
OptionSchema option_schema_of(Registry& registry);

// Errors: a plugin that is missing or of another kind, capacity that this host does not have.
Result<Plan> make_plan(RunFile file, Registry& registry);

// A point of the plan's sweep as a phase.
PhasePlan plan_point(const Plan& plan, const SweepPoint& point);

// The load pattern of a phase, made afresh.
Result<Pattern> make_pattern(const PhasePlan& phase);

// The first times of an open loop, in ns since the phase start; empty for a closed loop.
Result<std::vector<int64_t>> first_arrivals(const PhasePlan& phase, size_t at_most);

// For `tokometer plan`: phases, requests, first arrivals, limits, hash.
Result<std::string> describe_plan(const Plan& plan);

}  // namespace tokometer

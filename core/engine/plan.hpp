// What a run will do, fixed before it starts: the run file with its plugins found and its automatic values
// chosen. Immutable and printable. No socket is opened here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/samples.hpp"
#include "engine/scheduler.hpp"
#include "engine/sweep.hpp"
#include "metrics/manifest.hpp"
#include "plugin/registry.hpp"

namespace tokometer {

struct PhasePlan {
  RunFile::Phase file;
  const Component* load = nullptr;
  bool open_loop = true;
  bool unsteady =
      false;  // the pattern's load is meant to change: no automatic warm-up, no steady-state check
  bool follows_data = false;   // a trace: the times of requests come with the samples
  uint64_t most_users = 0;     // closed loop: by its options; 0: not known
  uint64_t users_at_once = 0;  // of them those who begin with the phase
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
  std::vector<Manifest::DataFile> data_files;  // what the dataset's options name; no digest: unreadable
  std::vector<PhasePlan> phases;               // of a sweep: the points that are known before it starts
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

// Fills in what follows from a phase's file and load.
void complete(PhasePlan& phase, uint64_t run_seed);

// The load pattern of a phase, made afresh.
Result<Pattern> make_pattern(const PhasePlan& phase);

// The first times of an open loop, in ns since the phase start; empty for a closed loop. Those of a trace are
// in `data`, which goes on behind them; without it they are not known.
Result<std::vector<int64_t>> first_arrivals(const PhasePlan& phase, size_t at_most,
                                            SampleSource* data = nullptr);

// Will its data give sessions? By the dataset's capability and its option "sessions", where it has one.
bool plays_sessions(const Plan& plan);

// How many connections are worth opening before the phase begins: for the requests of its start, or soon
// after it, which opening them then would delay.
uint64_t first_connections(const PhasePlan& phase);

// For `tokometer plan`: phases, requests, first arrivals, limits, hash.
Result<std::string> describe_plan(const Plan& plan);

}  // namespace tokometer

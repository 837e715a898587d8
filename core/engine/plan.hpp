// What a run will do, fixed before it starts: the run file with its plugins found and its automatic values
// chosen. Immutable and printable. No socket is opened here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/samples.hpp"
#include "engine/scheduler.hpp"
#include "metrics/manifest.hpp"
#include "plugin/registry.hpp"

namespace tokometer {

struct PhasePlan {
  RunFile::Phase file;
  const Component* load = nullptr;
  bool open_loop = true;
  bool unsteady =
      false;  // the pattern's load is meant to change: no automatic warm-up, no steady-state check
  bool follows_data = false;       // a trace: the times of requests come with the samples
  uint64_t most_users = 0;         // closed loop: by its options; 0: not known
  uint64_t users_at_once = 0;      // of them those who begin with the phase
  uint64_t first_connections = 1;  // worth opening before the phase begins
  uint64_t seed = 0;
  PhaseLimits limits;
};

struct Plan {
  RunFile file;
  const Component* processor = nullptr;
  const Component* dataset = nullptr;
  std::vector<PhasePlan> phases;
  std::vector<Manifest::DataFile> data_files;  // what the dataset's options name; no digest: unreadable
  uint32_t io_threads = 1;
  uint64_t max_in_flight = 0;
  bool spin = false;  // workers spin for the last 150 us before a send; off on two cores or fewer
  std::string hash;   // SHA-256: equal for equal load, whatever the target
};

// How read_run_file() learns the options of the plugins that a file names.
OptionSchema option_schema_of(Registry& registry);

// Errors: a plugin that is missing or of another kind, capacity that this host does not have.
Result<Plan> make_plan(RunFile file, Registry& registry);

// The load pattern of a phase, made afresh.
Result<Pattern> make_pattern(const PhasePlan& phase);

// The first times of an open loop, in ns since the phase start; empty for a closed loop. Those of a trace are
// in `data`, which goes on behind them; without it they are not known.
Result<std::vector<int64_t>> first_arrivals(const PhasePlan& phase, size_t at_most,
                                            SampleSource* data = nullptr);

// For `tokometer plan`: phases, requests, first arrivals, limits, hash.
Result<std::string> describe_plan(const Plan& plan);

}  // namespace tokometer

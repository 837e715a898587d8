// What a run will do, fixed before it starts: the run file with its plugins found and its automatic values
// chosen. Immutable and printable. No socket is opened here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

// One of the workloads that run side by side: what it sends, and when.
struct WorkloadPlan {
  RunFile file;  // as if it were alone
  const Component* processor = nullptr;
  const Component* dataset = nullptr;
  const Component* tokenizer_plugin = nullptr;  // null: it has no tokenizer
  std::shared_ptr<RunTokenizer> tokenizer;      // the plan's only part that is used, not just read
  std::vector<Manifest::DataFile> data_files;   // what the dataset's options name; no digest: unreadable
  std::vector<Manifest::DataFile> tokenizer_files;
  std::vector<PhasePlan>
      phases;  // those in which it plays; of a sweep: the points that are known before it starts
  std::optional<SweepPlan> sweep;
  std::string hash;  // of its own part

  const PhasePlan* find_phase(std::string_view name) const;  // null: it is held back
};

struct Plan {
  RunFile file;                         // what all have in common; its phases are those of the run
  std::vector<WorkloadPlan> workloads;  // at least one; of a sweep the only one
  uint32_t io_threads = 1;
  uint64_t max_in_flight = 0;  // of all together
  bool io_uring = false;       // reads by io_uring, else by epoll and recvmsg
  bool spin = false;           // workers spin for the last 150 us before a send; off on two cores or fewer
  std::string hash;            // SHA-256: equal for equal load, whatever the target

  const WorkloadPlan& first() const { return workloads.front(); }
  const std::optional<SweepPlan>& sweep() const { return first().sweep; }
};

// How read_run_file() learns the options of the plugins that a file names.
OptionSchema option_schema_of(Registry& registry);

// Errors: a plugin that is missing or of another kind, capacity that this host does not have.
Result<Plan> make_plan(RunFile file, Registry& registry);

// Says in each error which workload it is about.
std::vector<Error> about_workload(const std::string& name, std::vector<Error> errors);

// The same, where the plan has several.
std::vector<Error> errors_of(const Plan& plan, const WorkloadPlan& workload,
                             const std::vector<Error>& errors);

// A workload's dataset, afresh, with what it may ask the host for. `calibration` is what preflight found, and
// outlives the dataset; null: nothing.
Result<Dataset> make_dataset(const WorkloadPlan& plan, const tkm_calibration* calibration);

// Fills in what follows from a phase's file and load.
void complete(PhasePlan& phase, uint64_t run_seed);

// The load pattern of a phase, made afresh.
Result<Pattern> make_pattern(const PhasePlan& phase);

// The first times of an open loop, in ns since the phase start; empty for a closed loop. Those of a trace are
// in `data`, which goes on behind them; without it they are not known.
Result<std::vector<int64_t>> first_arrivals(const PhasePlan& phase, size_t at_most,
                                            SampleSource* data = nullptr);

// Will its data give sessions? By the dataset's capability and its option "sessions", where it has one.
bool plays_sessions(const WorkloadPlan& plan);

// How many connections are worth opening before the phase begins: for the requests of its start, or soon
// after it, which opening them then would delay.
uint64_t first_connections(const PhasePlan& phase);

// For `tokometer plan`: phases, requests, first arrivals, limits, hash.
Result<std::string> describe_plan(const Plan& plan);

}  // namespace tokometer

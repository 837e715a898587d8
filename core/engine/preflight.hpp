// Before the load: is the server there, what is it, which models has it, does it take our request? Learns
// what the processor wants to know, sends the first sample once for each model and adapter, unmeasured, and
// calibrates words to tokens. Blocking, main thread. Its requests stand in the manifest and in no record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "engine/context.hpp"
#include "engine/plan.hpp"
#include "engine/samples.hpp"
#include "plugin/profile.hpp"

#include <tokometer/abi.h>

namespace tokometer {

struct LearnedAnswer {
  std::string probe;
  int status = -1;
  std::string body;
};

// What was found out for one workload.
struct Preflight {
  std::vector<TargetServer> servers;      // at least one; the first answers for all, all are asked
  std::shared_ptr<const TlsContext> tls;  // null: no URL wants it
  Profile profile;
  std::vector<LearnedAnswer> learned;  // handed to every instance of the processor, in this order
  std::string model;
  std::vector<ModelName> models;  // as the server lists them; empty: it does not
  std::string server;             // what the info probes answered, in short; may be empty
  std::string info_json = "{}";   // their answers, by probe
  std::optional<tkm_calibration> calibration;
  FitScale fit_scale;  // of rows.input_tokens
  struct Loaded {
    size_t server = 0;  // of `servers`
    std::string adapter;
  };
  std::vector<Loaded> loaded;  // adapters that this run loaded, to be unloaded after it
  size_t profiled = 0;         // so many of `servers` run their profiler, to be stopped
  uint64_t requests = 0;
  int64_t prompt_tokens = 0, output_tokens = 0;
  int64_t first_reply_ns = 0;  // how long the first request took, for `probe`
  std::vector<std::string> warnings;
};

// All that can be refused before a byte is sent and is not in the run file alone: options that a plugin
// refuses, certificates that cannot be read, what the processor cannot do, data that is missing or bad (a
// finite dataset is read whole).
Result<void> check_inputs(const Plan& plan);

// Where a load takes its times from the data: does each record have one? Not known, and no error, where the
// data's file is not here to be read.
Result<void> check_arrivals(const Plan& plan);

// One for each workload, in their order. `salt`: a hex word of this run's own. Errors say which step failed
// and what the server said; the servers are as they were then.
Result<std::vector<Preflight>> run_preflight(const Plan& plan, const std::vector<std::string>& urls,
                                             const std::string& salt, const Clock& clock,
                                             const Redactor& redactor);

// For every request to a target with https://. Errors name what cannot be used.
Result<std::shared_ptr<const TlsContext>> make_tls(const RunFile::Target& target, bool http2);

// A processor that has learned what preflight found out. One for each worker.
Result<Processor> make_processor(const WorkloadPlan& plan, const Preflight& preflight);

// The rules by which samples become requests: shared by preflight and run. `salt` is the nonce where the
// server has none.
SampleRules sample_rules(const WorkloadPlan& plan, const Profile& profile, const std::string& salt);

// What all requests of a workload share, from plan and preflight; the caller sets start_ns and id_prefix.
RunContext make_context(const WorkloadPlan& plan, const Preflight& preflight, const std::string& salt,
                        const Clock& clock, const Redactor& redactor);

}  // namespace tokometer

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
  std::string lengths;         // how prompts that the data make come to their lengths; empty: they make none
  FitScale fit_scale;          // of rows.input_tokens
  bool server_counts = false;  // texts, by the route of its profile: it has done so
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

// One for each workload, in their order. `salt`: a hex word of this run's own. Errors say which step failed
// and what the server said; the servers are as they were then.
Result<std::vector<Preflight>> run_preflight(const Plan& plan, const std::vector<std::string>& urls,
                                             const std::string& salt, const Clock& clock,
                                             const Redactor& redactor);

}  // namespace tokometer

// The profile: what a processor says about its server, as plain structs. Parsed from the JSON of
// Processor::describe; preflight, telemetry and the engine read it. Unknown keys become warnings, so a newer
// plugin serves an older host.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "plugin/probe.hpp"

namespace tokometer {

enum class Fold { sum, max, mean };

struct Candidate {
  std::string metric;
  std::vector<std::pair<std::string, std::string>> labels;  // must all be there with these values
  double scale = 1.0;
  std::string divide_by;  // another metric of the same page; empty: none
  Fold fold = Fold::sum;  // over the series that match
};
struct Quantity {
  std::string name;                   // "queue_size", ..., or "x.NAME"
  std::string unit;                   // "x.NAME" only
  std::vector<Candidate> candidates;  // the first with a sample wins
};
struct MetricsPage {
  std::string path;
  std::string port;  // key of Profile::ports; empty: the target's own port
  std::vector<Quantity> quantities;
};

struct RequestMetric {
  std::string unit, help;
  enum class Better { neither, lower, higher } better = Better::neither;
};

struct Profile {
  std::vector<std::string> features;
  std::map<std::string, int> ports;  // "http", "grpc", "metrics"
  std::vector<Probe> discover, info, ready;
  std::optional<ModelsProbe> models;
  std::vector<Probe> reset_cache, load_adapter, unload_adapter, start_profile,
      stop_profile;  // empty: not possible
  std::optional<TokenizeProbe> tokenize;
  std::vector<MetricsPage> telemetry;
  struct Auth {
    std::string header = "authorization", prefix = "Bearer ";
  } auth;
  std::map<std::string, RequestMetric> request_metrics;
  std::vector<std::string> warnings;  // what was skipped, one sentence each

  bool has_feature(std::string_view feature) const;
  // TKM_TASK_*: what requests ask for. An instance that says it embeds or ranks does so, and nothing else.
  int32_t task() const;
  bool is_grpc() const { return has_feature("proto.grpc") && !has_feature("proto.http"); }
};

// Errors are plugin bugs, one for each fault: `profile: ready[0].get: must be a path that begins with "/"
// (got 5)`.
Result<Profile> parse_profile(std::string_view json);

}  // namespace tokometer

// Everything a server answers besides generations: /health, /v1/models, /version, /tokenize, /detokenize,
// /metrics, /load, /ping, /reset_prefix_cache, and the errors of unknown paths and methods. Pure: request in,
// reply out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/http.hpp"
#include "sim/metrics.hpp"
#include "sim/options.hpp"

namespace tokometer::sim {

struct Page {
  int status = 200;
  std::string media_type = {}, body = {}, fields = {};  // fields: more header lines
  bool is_response = false;   // Triton over gRPC: a response that tells the error, no status
  bool resets_cache = false;  // the server shall forget its prefix cache
  std::optional<std::vector<std::string>> adapters = {};  // which the server shall have from now on
};

struct PageState {
  const Options& options;
  const Metrics& metrics;
  Metrics::Gauges gauges;
  bool starting = false;  // within `startup`
};

bool is_generation(const Request& request, const Options& options);
// May this request be answered, by its Authorization header?
bool is_authorized(const Request& request, const Options& options);
Page unauthorized();
Page make_page(const Request& request, const PageState& state);

}  // namespace tokometer::sim

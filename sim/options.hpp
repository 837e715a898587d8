// What the simulator is asked to be: the options of share/schema/sim-1.schema.json as a struct. The same JSON
// comes from a run file's target.sim (--options) and from the flags. Plain values, made once at start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "sim/fault.hpp"
#include "sim/shape.hpp"
#include "sim/tls.hpp"

namespace tokometer::sim {

enum class Mode { fixed, model, instant, script };
enum class Dialect {
  vllm,
  sglang,
  tgi,
  triton,
  nim_1
};  // the last two: of a request only, by route and `nim`
enum class Shutdown { close, abort, finish, stall };

struct Options {
  Mode mode = Mode::fixed;
  Dialect dialect = Dialect::vllm;
  Shape shape;        // what a single request may change by header
  bool step = false;  // all running streams send at once, on a grid of itl
  int64_t ttft_spread_ns = 0;
  std::optional<double> jitter;  // sigma; the mode decides where it is absent
  uint64_t output_tokens = 128;
  std::optional<int64_t> stall_at_ns;  // since the first generation request
  int64_t stall_for_ns = 0;
  std::string preset;
  uint32_t max_num_seqs = 256;
  uint64_t queue_limit = 0;  // 0: none
  uint64_t kv_tokens = 0;    // 0: the preset's
  uint64_t max_model_len = 131072;
  bool prefix_cache = false;
  bool no_tokenize = false;  // the route is not there
  std::string model;
  std::vector<std::string> adapters;
  std::string triton_tensors;        // of the model, in Triton's dialect: trt_llm, vllm, llm_api
  bool triton_one_response = false;  // gRPC: the model is not decoupled, so ModelInfer may be called
  bool triton_final_apart = false;   // gRPC: the final flag comes in a response of its own
  std::string nim = "no";            // which NIM to be: no, 1.x, 2.x
  std::string api_key;               // empty: everybody may
  double failure_rate = 0;
  Fault failure;
  int64_t startup_ns = 0, accept_delay_ns = 0, idle_close_ns = 0;
  uint64_t close_after = 0;    // replies; 0: never
  uint32_t max_streams = 100;  // of an HTTP/2 connection, as its SETTINGS say
  Shutdown shutdown = Shutdown::close;
  std::string script;
  uint32_t script_every = 1;
  std::string truth;  // folder; empty: no truth log
  TlsFiles tls;       // no certificate: plain HTTP
  bool busy = false;
  uint64_t seed = 42;
};

// Reads checked options (see flags.hpp): every key is there or has its default in the struct, durations are
// seconds. Fails where a value is of the right type but makes no sense, such as an unknown word in `failure`.
Result<Options> read_options(const std::string& json);

}  // namespace tokometer::sim

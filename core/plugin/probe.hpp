// Probes: requests that the core makes by itself because a profile asked for them (is it ready, which models,
// reset the cache), and what their answers mean. Pure functions on text; preflight and the engine do the
// sending. Pointers are JSON pointers in which "*" stands for each item of an array or object.
#pragma once

#include <tokometer/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace tokometer {

// One request that the core makes by itself, and what its answer must look like. Its texts may hold
// ${model} ${adapter} ${path} ${text}: see fill().
struct Probe {
  std::string id;  // as given, else the path; unique in its list
  bool grpc = false;
  std::string method;  // "GET", "POST"; empty for gRPC
  std::string path;
  std::string body;           // JSON text, or the decoded bytes of body_base64; empty: none
  bool body_is_json = false;  // then it goes with content-type: application/json
  std::vector<std::pair<std::string, std::string>> headers;
  std::string port;           // key of Profile::ports; empty: the target's own port
  std::vector<int> statuses;  // accepted; empty: any 2xx, for gRPC 0
  bool optional = false;      // a failure is no failure
  int64_t timeout_ns = 0;     // 0: the caller's default
  std::vector<std::pair<std::string, std::string>>
      expect;                               // pointer -> JSON text that one selected value must equal
  std::optional<std::string> expect_bytes;  // the whole body must be these bytes
  bool when_idle = false;                   // only while no request is in flight
};

struct ModelsProbe {
  Probe probe;
  std::string names;                // pointer to the model names
  std::string context;              // pointer to the context lengths, in the same order; empty: not told
  bool lists_adapters = true;       // false: only base models stand there
  std::vector<std::string> listed;  // the names, told by the processor, which has learned them
  bool is_told() const { return probe.path.empty(); }  // there is nothing to ask
};
struct ModelName {
  std::string name;
  int64_t context_tokens = -1;  // -1: not known
};

struct TokenizeProbe {
  Probe probe;
  std::string ids;  // pointer to the array of token ids, or to each of them
};

// What ${...} stands for; one that is not set is replaced by nothing.
struct FillValues {
  std::string_view model, adapter, path, text;
};
enum class Place { url, json, header };
// Replaces ${model} and its like in `text`, escaped for its place: percent-encoded in a url or header, as the
// inside of a JSON string in json.
std::string fill(std::string_view text, Place place, const FillValues& values);
Probe fill(const Probe& probe, const FillValues& values);

// All values that the pointer selects, in document order; none where it leads nowhere. They live as long as
// `root`.
std::vector<const tkm::Json*> select(const tkm::Json& root, std::string_view pointer);

// Does the answer satisfy the probe? status -1: there was none. The sentence says what differs, with a cut of
// the body.
Result<void> check_answer(const Probe& probe, int status, std::string_view body);

// The names in the answer of the models probe, with their context lengths where both lists are equally long.
Result<std::vector<ModelName>> read_models(const ModelsProbe& models, std::string_view body);
// The token ids in the answer of the tokenize probe.
Result<std::vector<int32_t>> read_token_ids(const TokenizeProbe& tokenize, std::string_view body);

}  // namespace tokometer

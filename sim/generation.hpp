// What a client asked for: an OpenAI chat or completions request, checked as vLLM checks it and in its words.
// Pure: a request and the server's limits in, a Generation or an error reply out. (The dialect's events:
// events.hpp.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/dialect.hpp"
#include "sim/fault.hpp"
#include "sim/http.hpp"
#include "sim/options.hpp"

namespace tokometer::sim {

// A route besides chats and completions (other_apis.hpp).
enum class OtherApi { none, responses, embeddings, rerank, ranking };

// A document of a ranking. tokens: with the query's.
struct Ranked {
  std::string document;
  uint64_t tokens;
};

struct Generation {
  Dialect dialect = Dialect::vllm;
  bool native = false;  // the dialect's own route, with one text or token ids
  Triton triton;        // of that dialect
  OtherApi other = OtherApi::none;
  uint32_t inputs = 0;  // of an embedding or a ranking
  std::vector<Ranked> ranked;
  std::optional<GrpcCall> grpc;
  bool chat = true;
  bool stream = false;
  bool include_usage = false, usage_each = false, token_ids = false;
  uint32_t choices = 1;               // prompts times n
  uint64_t prompt_tokens = 0;         // of all prompts
  uint64_t output_tokens = 0;         // of each choice
  bool ends_by_itself = false;        // finish_reason stop
  std::string model, id, request_id;  // id: "chatcmpl-..."; request_id: the client's X-Request-Id
  std::string cache_salt;
  std::vector<int32_t> prompt_ids;  // of the first prompt; only where `wants_ids` was set or the client asked
  Shape shape;
  Fault fault;
};

struct ErrorReply {
  int status;
  std::string message, type, param;  // param: empty: null
  bool stream = false;               // a stream was asked for
};

// The JSON body of vLLM's error replies.
std::string error_json(const ErrorReply& error);

// `wants_ids`: fill prompt_ids (the prefix cache needs them). `serial` makes an id where the client gave
// none.
std::variant<Generation, ErrorReply> read_generation(const Request& request, const Options& options,
                                                     bool wants_ids, uint32_t serial);

// The fault short_output, which may be drawn after the request was read: fewer tokens than it asks for.
void shorten(Generation& generation);

// Ids of a prompt given as JSON: a string, an array of token ids, or chat messages.
std::vector<int32_t> prompt_ids(std::string_view text);

}  // namespace tokometer::sim

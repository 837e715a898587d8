#include "sim/other_apis.hpp"

#include <tokometer/json.hpp>

#include "sim/tokens.hpp"

namespace tokometer::sim {
namespace {

using tkm::Json;

constexpr int kDimensions = 8;

void copy(const Json& from, const char* theirs, const char* ours, tkm::JsonWriter& json) {
  if (const Json* value = tkm::find(from, theirs)) json.key(ours).value(*value);
}

// Items without a content, such as calls of tools, count as messages of their own.
void write_messages(const Json& input, tkm::JsonWriter& json) {
  json.key("messages");
  if (!input.IsString()) return void(json.value(input));
  json.begin_array().begin_object().member("role", "user").key("content").value(input);
  json.end_object().end_array();
}

void write_chat(const Json& body, tkm::JsonWriter& json) {
  if (const Json* input = tkm::find(body, "input")) write_messages(*input, json);
  copy(body, "max_output_tokens", "max_completion_tokens", json);
  for (const char* name : {"model", "stream", "ignore_eos", "cache_salt"}) copy(body, name, name, json);
}

// Each document is read beside the query.
void write_pairs(const Json& body, tkm::JsonWriter& json) {
  const Json* documents = tkm::find(body, "documents");
  json.key("prompt").begin_array();
  if (documents != nullptr && documents->IsArray()) {
    for (const Json& document : documents->GetArray())
      json.value(std::string(tkm::get_string(body, "query")) + ' ' + std::string(tkm::text_of(document)));
  }
  json.end_array();
}

class PoolingEvents final : public EventWriter {
 public:
  PoolingEvents(const Generation& generation, ChunkBuffer& buffer) : EventWriter(generation, buffer, {}) {}

  Event role(uint32_t, const Usage&) override { return {}; }
  Event token(const Token&, const Usage&, std::string&) override { return {}; }
  Event finish(uint32_t, const char*, const Usage&) override { return {}; }
  Event usage(const Usage&) override { return {}; }

  std::string whole_body(const Usage& usage, const char*, uint32_t stream) const override {
    std::string body;
    tkm::JsonWriter json(body);
    const bool ranks = generation().other == OtherApi::rerank;
    json.begin_object().member("id", generation().id).member("model", model());
    json.key("usage").begin_object().member("prompt_tokens", usage.prompt);
    json.member("total_tokens", usage.prompt).end_object();
    if (!ranks) json.member("object", "list");
    json.key(ranks ? "results" : "data").begin_array();
    for (uint32_t at = 0; at < generation().inputs; ++at) {
      json.begin_object().member("index", at);
      if (ranks) {
        json.member("relevance_score", 1.0 / (at + 1.0));
      } else {
        json.member("object", "embedding").key("embedding").begin_array();
        for (int i = 0; i < kDimensions; ++i) json.value(0.25 * (i + static_cast<int>(stream + at) % 3));
        json.end_array();
      }
      json.end_object();
    }
    json.end_array().end_object();
    return body;
  }
};

}  // namespace

OtherApi other_api(Dialect dialect, std::string_view path) {
  if (dialect == Dialect::sglang && path == "/v1/embeddings") return OtherApi::embeddings;
  if (dialect != Dialect::vllm) return OtherApi::none;
  if (path == "/v1/responses") return OtherApi::responses;
  if (path == "/v1/embeddings") return OtherApi::embeddings;
  return path == "/v1/rerank" || path == "/rerank" ? OtherApi::rerank : OtherApi::none;
}

std::optional<std::string> as_plain_body(OtherApi api, const Request& request) {
  tkm::JsonDocument body;
  if (!tkm::parse_json(request.body, body) || !body.IsObject()) return std::nullopt;
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object();
  if (api == OtherApi::responses) {
    write_chat(body, json);
  } else {
    if (api == OtherApi::rerank) write_pairs(body, json);
    if (api == OtherApi::embeddings) copy(body, "input", "prompt", json);
    copy(body, "model", "model", json);
  }
  json.end_object();
  return text;
}

std::unique_ptr<EventWriter> make_pooling_events(const Generation& generation, ChunkBuffer& buffer) {
  return std::make_unique<PoolingEvents>(generation, buffer);
}

}  // namespace tokometer::sim

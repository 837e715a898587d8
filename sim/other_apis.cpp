#include "sim/other_apis.hpp"

#include <tokometer/json.hpp>
#include <utility>

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

// NIM's stand in objects.
std::string_view text_in(const Json& text) {
  return text.IsObject() ? tkm::get_string(text, "text") : tkm::text_of(text);
}

std::vector<std::string> texts_in(const Json& body, const char* name) {
  std::vector<std::string> texts;
  const Json* list = tkm::find(body, name);
  if (list == nullptr || !list->IsArray()) return texts;
  for (const Json& text : list->GetArray()) texts.emplace_back(text_in(text));
  return texts;
}

void write_texts(const char* name, const std::vector<std::string>& texts, tkm::JsonWriter& json) {
  json.key(name).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

// Each document is read beside the query.
void write_pairs(OtherApi api, const Json& body, tkm::JsonWriter& json) {
  const Json* query = tkm::find(body, "query");
  const std::string begin = std::string(query == nullptr ? "" : text_in(*query)) + ' ';
  std::vector<std::string> texts = texts_in(body, api == OtherApi::ranking ? "passages" : "documents");
  write_texts("documents", texts, json);
  for (std::string& text : texts) text.insert(0, begin);
  write_texts("prompt", texts, json);
}

void write_usage(uint64_t tokens, tkm::JsonWriter& json) {
  json.key("usage").begin_object().member("prompt_tokens", tokens);
  json.member("total_tokens", tokens).end_object();
}

double score(uint32_t at) {
  return 1.0 / (at + 1.0);
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
    if (generation().other == OtherApi::ranking) return nim_ranking(usage);
    if (ranks && generation().dialect == Dialect::sglang) return sglang_ranking();
    json.begin_object().member("id", generation().id).member("model", model());
    write_usage(usage.prompt, json);
    if (!ranks) json.member("object", "list");
    json.key(ranks ? "results" : "data").begin_array();
    for (uint32_t at = 0; at < generation().inputs; ++at) {
      json.begin_object().member("index", at);
      if (ranks) {
        json.member("relevance_score", score(at));
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

 private:
  std::string nim_ranking(const Usage& usage) const {
    std::string body;
    tkm::JsonWriter json(body);
    json.begin_object().key("rankings").begin_array();
    for (uint32_t at = 0; at < generation().inputs; ++at)
      json.begin_object().member("index", at).member("logit", score(at)).end_object();
    json.end_array();
    write_usage(usage.prompt, json);
    json.end_object();
    return body;
  }

  std::string sglang_ranking() const {
    std::string body;
    tkm::JsonWriter json(body);
    json.begin_array();
    uint32_t at = 0;
    for (const Ranked& it : generation().ranked) {
      json.begin_object().member("score", score(at)).member("document", it.document).member("index", at);
      json.key("meta_info").begin_object().member("id", generation().id + '-' + std::to_string(at));
      json.raw_member("finish_reason", R"({"type":"length","length":0})");
      json.member("prompt_tokens", it.tokens).member("weight_version", "default");
      json.member("num_retractions", 0).end_object().end_object();
      ++at;
    }
    json.end_array();
    return body;
  }
};

}  // namespace

OtherApi other_api(const Options& options, std::string_view path) {
  const Dialect dialect = options.dialect;
  if (dialect != Dialect::vllm && dialect != Dialect::sglang) return OtherApi::none;
  if (path == "/v1/embeddings") return OtherApi::embeddings;
  if (path == "/v1/responses") return OtherApi::responses;
  if (dialect == Dialect::sglang) return path == "/v1/rerank" ? OtherApi::rerank : OtherApi::none;
  if (path == "/v1/ranking" && options.nim != "no") return OtherApi::ranking;
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
    if (api == OtherApi::rerank || api == OtherApi::ranking) write_pairs(api, body, json);
    if (api == OtherApi::embeddings) copy(body, "input", "prompt", json);
    copy(body, "model", "model", json);
  }
  json.end_object();
  return text;
}

std::vector<Ranked> ranked(const Json& plain_body) {
  std::vector<Ranked> documents;
  const std::vector<std::string> pairs = texts_in(plain_body, "prompt");
  for (std::string& document : texts_in(plain_body, "documents")) {
    const uint64_t tokens = count_tokens(pairs.at(documents.size()));
    documents.push_back({std::move(document), tokens});
  }
  return documents;
}

std::unique_ptr<EventWriter> make_pooling_events(const Generation& generation, ChunkBuffer& buffer) {
  return std::make_unique<PoolingEvents>(generation, buffer);
}

}  // namespace tokometer::sim

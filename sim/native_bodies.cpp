#include "sim/native_bodies.hpp"

#include <initializer_list>
#include <tokometer/json.hpp>
#include <utility>

namespace tokometer::sim {
namespace {

using tkm::Json;
using Names = std::initializer_list<std::pair<const char*, const char*>>;  // theirs, /v1/completions'

void copy(const Json& from, Names names, tkm::JsonWriter& json) {
  for (const auto& [theirs, ours] : names) {
    const Json* value = tkm::find(from, theirs);
    if (value != nullptr && !value->IsNull()) json.key(ours).value(*value);
  }
}

void write_sglang(const Json& body, tkm::JsonWriter& json) {
  copy(body, {{"text", "prompt"}, {"input_ids", "prompt"}, {"stream", "stream"}, {"extra_key", "cache_salt"}},
       json);
  if (const Json* adapter = tkm::find(body, "lora_path"); adapter != nullptr && adapter->IsString())
    json.member("model", ":" + std::string(tkm::text_of(*adapter)));
  const Json* sampling = tkm::find(body, "sampling_params");
  if (sampling == nullptr || tkm::find(*sampling, "max_new_tokens") == nullptr)
    json.member("max_tokens", 128);
  if (sampling == nullptr) return;
  copy(*sampling,
       {{"max_new_tokens", "max_tokens"},
        {"min_new_tokens", "min_tokens"},
        {"ignore_eos", "ignore_eos"},
        {"n", "n"}},
       json);
}

void write_tgi(const Json& body, bool stream, tkm::JsonWriter& json) {
  copy(body, {{"inputs", "prompt"}}, json);
  json.member("stream", stream);
  if (const Json* given = tkm::find(body, "parameters"))
    copy(*given, {{"max_new_tokens", "max_tokens"}, {"adapter_id", "model"}}, json);
}

}  // namespace

bool is_native_path(Dialect dialect, std::string_view path) {
  if (dialect == Dialect::tgi) return path == "/generate" || path == "/generate_stream";
  return dialect == Dialect::sglang && path == "/generate";
}

std::optional<std::string> as_completion(Dialect dialect, const Request& request) {
  tkm::JsonDocument body;
  if (!tkm::parse_json(request.body, body) || !body.IsObject()) return std::nullopt;
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object();
  if (dialect == Dialect::sglang) write_sglang(body, json);
  if (dialect == Dialect::tgi) write_tgi(body, request.target == "/generate_stream", json);
  json.end_object();
  return text;
}

}  // namespace tokometer::sim

#include "sim/pages.hpp"

#include <ctime>
#include <functional>
#include <optional>
#include <tokometer/json.hpp>

#include "sim/error_forms.hpp"
#include "sim/generation.hpp"
#include "sim/lora.hpp"
#include "sim/native_bodies.hpp"
#include "sim/nim.hpp"
#include "sim/other_apis.hpp"
#include "sim/tokens.hpp"
#include "sim/triton.hpp"

namespace tokometer::sim {
namespace {

constexpr std::string_view kJson = "application/json";

Page json_page(std::string body) {
  return {.media_type = std::string(kJson), .body = std::move(body)};
}

Page error_page(const ErrorReply& error) {
  return {.status = error.status, .media_type = std::string(kJson), .body = error_json(error)};
}

Page detail(int status, std::string_view text, std::string fields = {}) {
  return {.status = status,
          .media_type = std::string(kJson),
          .body = error_body("fastapi", status, text).text,
          .fields = std::move(fields)};
}

Page health(const Request&, const PageState& state) {
  return {.status = state.starting ? 503 : 200};
}

Page version(const Request&, const PageState&) {
  return json_page(R"({"version":"0.32.0+sim"})");
}

Page load(const Request&, const PageState& state) {
  return json_page("{\"server_load\":" + std::to_string(state.gauges.running + state.gauges.waiting) + "}");
}

void model_entry(tkm::JsonWriter& json, std::string_view name, const std::string& parent,
                 const Options& options) {
  json.begin_object().member("id", name).member("object", "model").member("created", std::time(nullptr));
  json.member("owned_by", "tokometer-sim").member("root", name).key("parent");
  if (parent.empty()) {
    json.value(nullptr);
  } else {
    json.value(parent);
  }
  json.key("max_model_len");
  if (parent.empty()) {
    json.value(options.max_model_len);
  } else {
    json.value(nullptr);
  }
  json.end_object();
}

Page models(const Request&, const PageState& state) {
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_object().member("object", "list").key("data").begin_array();
  model_entry(json, state.options.model, "", state.options);
  for (const std::string& adapter : state.options.adapters)
    model_entry(json, adapter, state.options.model, state.options);
  json.end_array().end_object();
  return json_page(std::move(body));
}

// The text of a /tokenize request; a chat's messages count their overhead as ids of their own.
std::vector<std::string_view> pieces_of(const tkm::Json& body) {
  const auto* messages = tkm::find(body, "messages");
  if (messages == nullptr || !messages->IsArray()) return split_tokens(tkm::get_string(body, "prompt"));
  std::vector<std::string_view> pieces(kTokensPerChat, "<|chat|>");
  for (const auto& message : messages->GetArray()) {
    pieces.insert(pieces.end(), kTokensPerMessage, "<|message|>");
    const auto add = [&](std::string_view text) {
      for (const std::string_view piece : split_tokens(text)) pieces.push_back(piece);
    };
    const auto* content = tkm::find(message, "content");
    if (content == nullptr) continue;
    add(tkm::text_of(*content));
    if (!content->IsArray()) continue;
    for (const auto& part : content->GetArray()) add(tkm::get_string(part, "text"));
  }
  return pieces;
}

Page tokenize(const Request& request, const PageState& state) {
  tkm::JsonDocument given;
  if (!tkm::parse_json(request.body, given) || !given.IsObject()) {
    return error_page({400, "1 validation error:\n  {'type': 'json_invalid', 'msg': 'JSON decode error'}",
                       "Bad Request", "body"});
  }
  if (tkm::find(given, "prompt") == nullptr && tkm::find(given, "messages") == nullptr) {
    return error_page(
        {400, "1 validation error:\n  {'type': 'missing', 'loc': 'body.prompt', 'msg': 'Field required'}",
         "Bad Request", "body.prompt"});
  }
  const auto pieces = pieces_of(given);
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_object().member("count", pieces.size()).member("max_model_len", state.options.max_model_len);
  json.key("tokens").begin_array();
  for (const std::string_view piece : pieces) json.value(token_id(piece));
  json.end_array().key("token_strs");
  if (tkm::get_bool(given, "return_token_strs")) {
    json.begin_array();
    for (const std::string_view piece : pieces) json.value(piece);
    json.end_array();
  } else {
    json.value(nullptr);
  }
  json.end_object();
  return json_page(std::move(body));
}

// A list with each token and its place in the text.
Page tgi_tokenize(const Request& request, const PageState&) {
  tkm::JsonDocument given;
  if (!tkm::parse_json(request.body, given) || tkm::find(given, "inputs") == nullptr)
    return detail(422, "Failed to deserialize the JSON body into the target type: missing field `inputs`");
  const std::string_view text = tkm::get_string(given, "inputs");
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_array();
  for (const std::string_view piece : split_tokens(text)) {
    const auto start = static_cast<size_t>(piece.data() - text.data());
    json.begin_object().member("id", token_id(piece)).member("text", piece);
    json.member("start", start).member("stop", start + piece.size()).end_object();
  }
  json.end_array();
  return json_page(std::move(body));
}

Page metrics(const Request&, const PageState& state) {
  return {.media_type = "text/plain; version=1.0.0; charset=utf-8",
          .body = state.metrics.render(state.options.model, state.gauges)};
}

Page reset_cache(const Request&, const PageState&) {
  Page page = json_page(R"({"success":true})");
  page.resets_cache = true;
  return page;
}

// The profiler says nothing, but for its starts and stops in http_requests_total.
Page profiler(const Request&, const PageState&) {
  return {};
}

Page sglang_info(const Request&, const PageState& state) {
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_object().member("model_path", state.options.model).member("version", "0.5.23+sim");
  json.member("incremental_streaming_output", state.options.shape.incremental);
  json.member("vocab_size", kVocabulary).end_object();
  return json_page(std::move(body));
}

Page sglang_flush(const Request&, const PageState&) {
  return {.media_type = "text/plain; charset=utf-8", .body = "Cache flushed.\n", .resets_cache = true};
}

Page tgi_info(const Request&, const PageState& state) {
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_object().member("model_id", state.options.model).member("max_best_of", 2);
  json.member("max_total_tokens", state.options.max_model_len).member("version", "3.3.7+sim").end_object();
  return json_page(std::move(body));
}

struct Route {
  std::string_view method, path;
  Page (*make)(const Request&, const PageState&);
  std::optional<Dialect> dialect = {};  // nothing: every one
};
constexpr Route kRoutes[] = {
    {"GET", "/health", health},
    {"GET", "/health/ready", health},
    {"GET", "/ping", health},
    {"POST", "/ping", health},
    {"GET", "/version", version, Dialect::vllm},
    {"GET", "/load", load},
    {"GET", "/v1/models", models},
    {"POST", "/tokenize", tokenize, Dialect::vllm},
    {"POST", "/tokenize", tokenize, Dialect::sglang},
    {"POST", "/tokenize", tgi_tokenize, Dialect::tgi},
    {"GET", "/metrics", metrics},
    {"POST", "/reset_prefix_cache", reset_cache, Dialect::vllm},
    {"POST", "/v1/load_lora_adapter", load_lora, Dialect::vllm},
    {"POST", "/v1/unload_lora_adapter", unload_lora, Dialect::vllm},
    {"POST", "/start_profile", profiler, Dialect::vllm},
    {"POST", "/stop_profile", profiler, Dialect::vllm},
    {"GET", "/server_info", sglang_info, Dialect::sglang},
    {"POST", "/flush_cache", sglang_flush, Dialect::sglang},
    {"GET", "/info", tgi_info, Dialect::tgi},
};
constexpr std::string_view kGenerations[] = {"/v1/chat/completions", "/v1/completions"};

bool is_generation_path(std::string_view path, const Options& options) {
  if (is_native_path(options.dialect, path) || other_api(options, path) != OtherApi::none) return true;
  for (const std::string_view known : kGenerations) {
    if (known == path) return true;
  }
  return false;
}

}  // namespace

bool is_generation(const Request& request, const Options& options) {
  return is_triton_generation(request) ||
         (request.method == "POST" && is_generation_path(request.target, options));
}

bool is_authorized(const Request& request, const Options& options) {
  const bool is_guarded = request.target.starts_with("/v1") || is_triton(request.target) ||
                          is_native_path(options.dialect, request.target);
  if (options.api_key.empty() || !is_guarded) return true;
  return request.field("authorization") == "Bearer " + options.api_key;
}

Page unauthorized() {
  return {.status = 401, .media_type = std::string(kJson), .body = R"({"error":"Unauthorized"})"};
}

Page make_page(const Request& request, const PageState& state) {
  if (is_triton(request.target)) return make_triton_page(request, state);
  if (auto page = make_nim_page(request, state)) return *page;
  std::string allowed = is_generation_path(request.target, state.options) ? "POST" : "";
  for (const Route& route : kRoutes) {
    if (state.options.no_tokenize && route.path == "/tokenize") continue;
    if (route.path != request.target || (route.dialect && route.dialect != state.options.dialect)) continue;
    if (route.method == request.method) return route.make(request, state);
    allowed = route.method;
  }
  if (allowed.empty()) return detail(404, "Not Found");
  return detail(405, "Method Not Allowed", "allow: " + allowed + "\r\n");
}

}  // namespace tokometer::sim

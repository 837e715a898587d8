#include "sim/generation.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <tokometer/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "sim/native_bodies.hpp"
#include "sim/other_apis.hpp"
#include "sim/tokens.hpp"
#include "sim/triton.hpp"

namespace tokometer::sim {
namespace {

using tkm::Json;

constexpr int64_t kTgiPiece = 1024;

ErrorReply bad(std::string message, std::string param = {}) {
  return {400, std::move(message), "BadRequestError", std::move(param)};
}

ErrorReply invalid(const std::string& what, const std::string& where, const std::string& message) {
  return {400,
          "1 validation error:\n  {'type': '" + what + "', 'loc': '" + where + "', 'msg': '" + message + "'}",
          "Bad Request", where};
}

// Reads one request step by step; the first fault found stands.
class Reader {
 public:
  Reader(const Options& options, bool wants_ids) : options_(options), wants_ids_(wants_ids) {}

  std::variant<Generation, ErrorReply> read(const Request& request, uint32_t serial) {
    out_.dialect = options_.dialect;
    out_.native = is_native_path(options_.dialect, request.target);
    out_.other = other_api(options_, request.target);
    out_.chat = request.target.ends_with("/chat/completions") || out_.other == OtherApi::responses;
    if (options_.nim == "1.x") out_.dialect = Dialect::nim_1;
    out_.shape = options_.shape;
    if (options_.dialect == Dialect::tgi) out_.shape.tokens_per_event = 1;
    (void)(media_type(request) && control(request) && json(request) && prompt() && model() && count() &&
           output() && streaming());
    error_.stream = out_.stream;
    if (!error_.message.empty()) return error_;
    if (is_pooling()) pool();
    name(request, serial);
    return out_;
  }

 private:
  bool fail(ErrorReply error) { return error_ = std::move(error), false; }

  bool is_ranking() const { return out_.other == OtherApi::rerank || out_.other == OtherApi::ranking; }
  bool is_pooling() const { return out_.other == OtherApi::embeddings || is_ranking(); }
  void pool() {
    if (is_ranking()) out_.ranked = ranked(body_);
    out_.inputs = std::exchange(out_.choices, 1);
    out_.output_tokens = 0;
    out_.stream = false;
  }

  bool media_type(const Request& request) {
    if (request.field("content-type").starts_with("application/json")) return true;
    return fail({400, "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
                 "Bad Request", ""});
  }

  bool control(const Request& request) {
    const std::string_view words = request.field("x-tkm-sim");
    if (words.empty()) return true;
    const auto fault = parse_fault(words, out_.shape);
    if (!fault) return fail(bad("X-Tkm-Sim: " + fault.error().message));
    return out_.fault = *fault, true;
  }

  bool json(const Request& request) {
    size_t at = 0;
    const auto completion = out_.other != OtherApi::none ? as_plain_body(out_.other, request)
                            : out_.native                ? as_completion(options_.dialect, request)
                                                         : std::nullopt;
    const std::string& body = completion ? *completion : request.body;
    if (!tkm::parse_json(body, body_, &at) || !body_.IsObject()) {
      return fail(invalid("json_invalid", "body." + std::to_string(at), "JSON decode error"));
    }
    out_.stream = tkm::get_bool(body_, "stream");
    out_.token_ids = tkm::get_bool(body_, "return_token_ids");
    out_.cache_salt = tkm::get_string(body_, "cache_salt");
    wants_ids_ = wants_ids_ || out_.token_ids;
    return true;
  }

  bool prompt() { return out_.chat ? messages() : prompts(); }

  bool messages() {
    const Json* list = tkm::find(body_, "messages");
    if (list == nullptr) return fail(invalid("missing", "body.messages", "Field required"));
    if (!list->IsArray()) return fail(invalid("list_type", "body.messages", "Input should be a valid list"));
    if (list->Empty())
      return fail(
          bad("List should have at least 1 item after validation, not 0 (parameter=messages)", "messages"));
    out_.prompt_tokens = kTokensPerChat + kTokensPerMessage * list->Size();
    for (const Json& message : list->GetArray()) {
      const Json* content = tkm::find(message, "content");
      if (content == nullptr) continue;  // a tool call's message has none
      if (content->IsString()) take_text(tkm::text_of(*content));
      if (content->IsArray()) {
        for (const Json& part : content->GetArray()) take_text(tkm::get_string(part, "text"));
      }
    }
    return true;
  }

  bool prompts() {
    const Json* given = tkm::find(body_, "prompt");
    const bool empty = given == nullptr || given->IsNull() ||
                       (given->IsString() && given->GetStringLength() == 0) ||
                       (given->IsArray() && given->Empty());
    if (empty) return fail(no_prompt());
    const bool many = given->IsArray() && !(*given)[0].IsNumber();
    if (!many) return one_prompt(*given);
    for (const Json& prompt : given->GetArray()) {
      if (!one_prompt(prompt)) return false;
    }
    prompts_ = given->Size();
    return true;
  }

  ErrorReply no_prompt() const {
    if (out_.other == OtherApi::ranking) return bad("passages: List should have at least 1 item");
    if (is_ranking() && options_.dialect == Dialect::sglang) return bad("Documents cannot be empty");
    if (is_ranking()) return bad("At least one text_pair element must be given");
    return bad("Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)", "prompt");
  }

  bool one_prompt(const Json& given) {
    if (given.IsString()) return take_text(tkm::text_of(given)), true;
    if (!given.IsArray())
      return fail(invalid("string_type", "body.prompt", "Input should be a valid string"));
    for (const Json& id : given.GetArray()) {
      const auto number = tkm::int_of(id);
      if (!number) return fail(invalid("int_type", "body.prompt", "Input should be a valid integer"));
      if (*number < 0 || *number >= kVocabulary)
        return fail(bad("Token id " + std::to_string(*number) + " is out of vocabulary"));
      ++out_.prompt_tokens;
      if (wants_ids_) out_.prompt_ids.push_back(static_cast<int32_t>(*number));
    }
    return true;
  }

  void take_text(std::string_view text) {
    out_.prompt_tokens += count_tokens(text);
    if (!wants_ids_) return;
    for (const int32_t id : sim::prompt_ids(text)) out_.prompt_ids.push_back(id);
  }

  bool model() {
    const std::string_view name = tkm::get_string(body_, "model", options_.model);
    out_.model = std::string(name);
    const auto& adapters = options_.adapters;
    const auto knows = [&](std::string_view adapter) {
      return std::find(adapters.begin(), adapters.end(), adapter) != adapters.end();
    };
    if (options_.dialect == Dialect::tgi) return true;  // the shard's business
    if (options_.dialect == Dialect::sglang) {  // any name is taken, but for the adapter in "base:adapter"
      const size_t colon = name.find(':');
      if (colon == name.npos || knows(name.substr(colon + 1))) return true;
      return fail(
          bad("Got LoRA adapter that has never been loaded: " + escape_terminal(name.substr(colon + 1))));
    }
    if (name == options_.model || knows(name)) return true;
    return fail(
        {404,
         "The model `" + escape_terminal(name) + "` does not exist. Valid aliases: " + options_.model + ".",
         "NotFoundError", "model"});
  }

  bool count() {
    const int64_t n = options_.dialect == Dialect::tgi ? 1 : tkm::get_int(body_, "n", 1);
    if (n < 1) return fail(bad("n must be at least 1, got " + std::to_string(n) + "."));
    if (n * static_cast<int64_t>(prompts_) > 1024)
      return fail(bad("n must be at most 1024, got " + std::to_string(n) + "."));
    out_.choices = static_cast<uint32_t>(n) * static_cast<uint32_t>(prompts_);
    return true;
  }

  bool whole_number(const char* key, std::optional<int64_t>& out) {
    const Json* value = tkm::find(body_, key);
    if (value == nullptr || value->IsNull()) return true;
    out = tkm::int_of(*value);
    return out.has_value() ||
           fail(invalid("int_parsing", std::string("body.") + key, "Input should be a valid integer"));
  }

  bool output() {
    std::optional<int64_t> limit, least;
    if (!whole_number("max_tokens", limit) || !whole_number("min_tokens", least)) return false;
    if (out_.chat && !whole_number("max_completion_tokens", limit)) return false;
    const auto context = static_cast<int64_t>(options_.max_model_len);
    if (limit && *limit < 1) {
      return fail(bad("max_tokens must be at least 1, got " + std::to_string(*limit) +
                          ". (parameter=max_tokens, value=" + std::to_string(*limit) + ")",
                      "max_tokens"));
    }
    if (limit && *limit > context) {
      return fail(bad("max_tokens=" + std::to_string(*limit) +
                          " cannot be greater than max_model_len=" + std::to_string(context) +
                          ". Please request fewer output tokens. (parameter=max_tokens, value=" +
                          std::to_string(*limit) + ")",
                      "max_tokens"));
    }
    const auto prompt = static_cast<int64_t>(out_.prompt_tokens / prompts_);
    if (prompt >= context) return fail(too_long(prompt, context));
    int64_t asked = limit.value_or(static_cast<int64_t>(options_.output_tokens));
    if (options_.dialect == Dialect::tgi && asked > kTgiPiece)  // whole pieces: the last one is not shortened
      asked = (asked + kTgiPiece - 1) / kTgiPiece * kTgiPiece;
    end_of_output(static_cast<uint64_t>(std::min(asked, context - prompt)),
                  static_cast<uint64_t>(std::max<int64_t>(least.value_or(0), 0)));
    return true;
  }

  static ErrorReply too_long(int64_t prompt, int64_t context) {
    return bad("This model's maximum context length is " + std::to_string(context) +
                   " tokens. However, your prompt contains " + std::to_string(prompt) +
                   " input tokens, which exceeds this limit even without any output tokens. Please reduce "
                   "the length of the input prompt. (parameter=input_tokens, value=" +
                   std::to_string(prompt) + ")",
               "input_tokens");
  }

  // Where the model would end by itself, and whether it may.
  void end_of_output(uint64_t most, uint64_t least) {
    // NIM 1.x on TensorRT-LLM, before 1.14: no min_tokens, and ignore_eos only inside nvext.
    const Json* nvext = tkm::find(body_, "nvext");
    const bool is_nim_1 = out_.dialect == Dialect::nim_1;
    const bool ignores = is_nim_1 ? nvext != nullptr && tkm::get_bool(*nvext, "ignore_eos")
                                  : options_.dialect != Dialect::tgi && tkm::get_bool(body_, "ignore_eos");
    const uint64_t eos = std::max(out_.shape.eos_after, is_nim_1 ? 0 : least);
    out_.ends_by_itself = out_.shape.eos_after != 0 && eos < most && !ignores;
    out_.output_tokens = out_.ends_by_itself ? eos : most;
    shorten(out_);
  }

  bool streaming() {
    const Json* options = tkm::find(body_, "stream_options");
    const bool is_strict = options_.dialect == Dialect::vllm;
    if (options != nullptr && options->IsObject() && !out_.stream && is_strict) {
      return fail(bad("Stream options can only be defined when `stream=True`. (parameter=stream_options)",
                      "stream_options"));
    }
    if (options != nullptr) {
      out_.include_usage = tkm::get_bool(*options, "include_usage");
      out_.usage_each = out_.include_usage && tkm::get_bool(*options, "continuous_usage_stats");
    }
    const UsageMode usage = out_.shape.usage;
    if (usage != UsageMode::asked)
      out_.include_usage = usage != UsageMode::none, out_.usage_each = usage == UsageMode::each;
    return true;
  }

  void name(const Request& request, uint32_t serial) {
    out_.request_id = std::string(request.field("x-request-id"));
    std::string id(tkm::get_string(body_, "request_id", out_.request_id));
    if (id.empty()) {
      char text[24];
      std::snprintf(text, sizeof text, "%016llx",
                    static_cast<unsigned long long>((uint64_t{serial} + 1) * 0x9E3779B97F4A7C15));
      id = text;
    }
    constexpr std::array kOther{"", "resp_", "embd-", "score-", "rank-"};
    out_.id = out_.chat ? "chatcmpl-" : "cmpl-";
    if (out_.other != OtherApi::none) out_.id = kOther.at(static_cast<size_t>(out_.other));
    out_.id += id;
  }

  const Options& options_;
  bool wants_ids_;
  tkm::JsonDocument body_;
  uint64_t prompts_ = 1;
  Generation out_;
  ErrorReply error_{};
};

}  // namespace

std::string error_json(const ErrorReply& error) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().key("error").begin_object().member("message", error.message).member("type", error.type);
  json.key("param");
  if (error.param.empty()) {
    json.value(nullptr);
  } else {
    json.value(error.param);
  }
  json.member("code", error.status).end_object().end_object();
  return text;
}

std::variant<Generation, ErrorReply> read_generation(const Request& request, const Options& options,
                                                     bool wants_ids, uint32_t serial) {
  if (is_triton(request.target)) return read_triton_generation(request, options, wants_ids, serial);
  return Reader(options, wants_ids).read(request, serial);
}

void shorten(Generation& generation) {
  if (generation.fault.kind != FaultKind::short_output || generation.output_tokens == 0) return;
  const auto fewer = static_cast<uint64_t>(std::max<int64_t>(generation.fault.by, 0));
  generation.output_tokens -= std::min(generation.output_tokens - 1, fewer);
}

std::vector<int32_t> prompt_ids(std::string_view text) {
  std::vector<int32_t> ids;
  for (const std::string_view piece : split_tokens(text)) ids.push_back(token_id(piece));
  return ids;
}

}  // namespace tokometer::sim

// Builds the body of POST /v1/responses from a prompt, in the dialect of the server. What the prompt asks for
// and the API cannot say is an error, never left out. Nothing is kept at the server (`store`).
//
// One a processor instance: it keeps its buffer and what it has checked of `sampling` and `extra`.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/added_members.hpp>
#include <tokometer/openai/request.hpp>
#include <tokometer/plugin.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace tkm {

class ResponsesRequest {
 public:
  explicit ResponsesRequest(OpenAiDialect dialect) : dialect_(std::move(dialect)) {}

  static constexpr std::string_view kPath = "/v1/responses";

  // The body; valid until the next call. `model`: the model or the adapter. Throws Error.
  const std::string& build(const tkm_prompt& prompt, std::string_view model) {
    check(prompt);
    body_.clear();
    JsonWriter json(body_);
    json.begin_object();
    if (!model.empty()) json.member("model", model);
    write_input(prompt, json);
    write_length(prompt, json);
    json.member("stream", prompt.reply == TKM_REPLY_STREAM).member("store", false);
    if (prompt.cache_salt.size > 0) json.member("cache_salt", view(prompt.cache_salt));
    json.raw_members(view(prompt.sampling)).raw_members(view(prompt.extra)).end_object();
    return body_;
  }

 private:
  void check(const tkm_prompt& prompt) {
    using request_detail::is_one_of;
    if (prompt.task != TKM_TASK_GENERATE) throw unsupported("api: responses generates text, nothing else");
    if (prompt.choices > 1) throw unsupported("several choices: api: responses makes one");
    if (prompt.cache_salt.size > 0 && !dialect_.has_cache_salt)
      throw unsupported("a cache salt: OpenAI's API has none");
    const bool is_exact = prompt.output_mode == TKM_OUTPUT_EXACT;
    const auto is_taken = [&](std::string_view name) {
      return is_one_of(name, {"model", "input", "n", "max_output_tokens", "stream", "store"}) ||
             (name == "cache_salt" && prompt.cache_salt.size > 0) || (name == "ignore_eos" && is_exact);
    };
    const auto is_sampling = [&](std::string_view name) {
      return dialect_.has_own_sampling || is_one_of(name, {"temperature", "top_p", "top_logprobs"});
    };
    added_.check(prompt, is_taken, is_sampling);
  }

  static void write_input(const tkm_prompt& prompt, JsonWriter& json) {
    json.key("input");
    if (prompt.form == TKM_FORM_TEXT) return void(json.value(view(prompt.text)));
    if (prompt.form != TKM_FORM_CHAT)
      throw unsupported("api: responses takes no token ids: use api: completions");
    json.begin_array();
    for (const tkm_message& message : messages(prompt)) write_message(message, json);
    json.end_array();
  }

  static void write_message(const tkm_message& message, JsonWriter& json) {
    json.begin_object().member("role", view(message.role)).key("content");
    if (message.part_count == 1) {
      json.value(request_detail::text_of_part(message.parts[0]));
    } else {
      const std::string_view type = view(message.role) == "assistant" ? "output_text" : "input_text";
      json.begin_array();
      for (const tkm_part& part : parts(message)) {
        json.begin_object().member("type", type).member("text", request_detail::text_of_part(part));
        json.end_object();
      }
      json.end_array();
    }
    json.raw_members(view(message.extra)).end_object();
  }

  void write_length(const tkm_prompt& prompt, JsonWriter& json) const {
    if (prompt.output_tokens >= 0) json.member("max_output_tokens", prompt.output_tokens);
    if (prompt.output_mode != TKM_OUTPUT_EXACT) return;
    if (prompt.output_tokens < 0)
      throw input_error("an exact length is asked for, but no length is given: set request.output_tokens");
    if (!dialect_.has_exact_output)
      throw unsupported("an exact output length: OpenAI's API cannot ask for it");
    json.member("ignore_eos", true);
  }

  OpenAiDialect dialect_;
  std::string body_;
  AddedMembers added_;
};

}  // namespace tkm

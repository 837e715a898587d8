// Builds the body of a chat completion or completion from a prompt. What the prompt asks for and this dialect
// cannot say is an error, never left out; what stands in `sampling` and `extra` must not collide with what is
// said here.
//
// One a processor instance: it keeps its buffer and what it has checked of `sampling` and `extra`.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/added_members.hpp>
#include <tokometer/plugin.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace tkm {

// How to speak to one server. The defaults are what every OpenAI-like server takes.
struct OpenAiDialect {
  bool is_chat = true;                                      // /v1/chat/completions, else /v1/completions
  std::string token_limit_field = "max_completion_tokens";  // of chat; completions always have max_tokens
  bool asks_usage = true;                                   // stream_options.include_usage
  bool asks_running_usage = false;  // stream_options.continuous_usage_stats: usage on every chunk
  bool asks_token_ids = false;      // return_token_ids
  bool has_exact_output = false;    // ignore_eos, min_tokens
  bool has_min_tokens = true;       // false: ignore_eos alone is enough
  bool has_choices = true;          // n
  bool has_model_adapters = false;  // an adapter is named "model:adapter", not in the model's place
  bool has_cache_salt = false;      // cache_salt
  bool has_own_sampling = false;    // takes more sampling parameters than OpenAI's
};

namespace request_detail {

// The prompt of an api that takes one text and knows no roles; `api` is the option's value.
inline std::string_view lone_text(const tkm_prompt& prompt, std::string_view api) {
  if (prompt.form == TKM_FORM_TEXT) return view(prompt.text);
  if (prompt.message_count != 1 || prompt.messages[0].part_count != 1) {
    throw unsupported("api: " + std::string(api) + " takes one text, but this sample is a conversation of " +
                      std::to_string(prompt.message_count) + " messages: use api: chat");
  }
  return text_of_part(prompt.messages[0].parts[0]);
}

}  // namespace request_detail

class OpenAiRequest {
 public:
  explicit OpenAiRequest(OpenAiDialect dialect) : dialect_(std::move(dialect)) {}

  const OpenAiDialect& dialect() const { return dialect_; }
  std::string_view path() const { return dialect_.is_chat ? "/v1/chat/completions" : "/v1/completions"; }

  // What stands in the member "model": the model, or the adapter; valid until the next call.
  std::string_view model_of(const tkm_prompt& prompt) {
    if (prompt.adapter.size == 0) return view(prompt.model);
    if (!dialect_.has_model_adapters) return view(prompt.adapter);
    return model_.assign(view(prompt.model)).append(":").append(view(prompt.adapter));
  }

  // The body; valid until the next call. Throws Error.
  const std::string& build(const tkm_prompt& prompt) {
    if (prompt.task != TKM_TASK_GENERATE) throw unsupported("this processor generates text, nothing else");
    check_members(prompt);
    body_.clear();
    JsonWriter json(body_);
    json.begin_object();
    if (const std::string_view model = model_of(prompt); !model.empty()) json.member("model", model);
    if (dialect_.is_chat) {
      write_messages(prompt, json);
    } else {
      write_prompt(prompt, json);
    }
    write_length(prompt, json);
    write_reply(prompt, json);
    json.raw_members(view(prompt.sampling)).raw_members(view(prompt.extra)).end_object();
    return body_;
  }

 private:
  // ---- the prompt

  static void write_messages(const tkm_prompt& prompt, JsonWriter& json) {
    json.key("messages").begin_array();
    if (prompt.form == TKM_FORM_TEXT) {
      json.begin_object().member("role", "user").member("content", view(prompt.text)).end_object();
    } else if (prompt.form == TKM_FORM_CHAT) {
      for (const tkm_message& message : messages(prompt)) write_message(message, json);
    } else {
      throw unsupported("a chat takes no token ids: use api: completions");
    }
    json.end_array();
  }

  static void write_message(const tkm_message& message, JsonWriter& json) {
    json.begin_object().member("role", view(message.role)).key("content");
    if (message.part_count == 0) {
      json.value(nullptr);
    } else if (message.part_count == 1) {
      json.value(request_detail::text_of_part(message.parts[0]));
    } else {
      json.begin_array();
      for (const tkm_part& part : parts(message)) {
        json.begin_object()
            .member("type", "text")
            .member("text", request_detail::text_of_part(part))
            .end_object();
      }
      json.end_array();
    }
    json.raw_members(view(message.extra)).end_object();
  }

  static void write_prompt(const tkm_prompt& prompt, JsonWriter& json) {
    json.key("prompt");
    if (prompt.form == TKM_FORM_TOKENS) {
      json.begin_array();
      for (const int32_t id : tokens(prompt)) json.value(id);
      json.end_array();
    } else {
      json.value(request_detail::lone_text(prompt, "completions"));
    }
  }

  // ---- the answer

  void write_length(const tkm_prompt& prompt, JsonWriter& json) const {
    const bool is_exact = prompt.output_mode == TKM_OUTPUT_EXACT;
    const std::string_view field =
        dialect_.is_chat ? std::string_view(dialect_.token_limit_field) : "max_tokens";
    if (prompt.output_tokens >= 0) {
      json.member(field, prompt.output_tokens);
    } else if (is_exact) {
      throw input_error("an exact length is asked for, but no length is given: set request.output_tokens");
    } else if (!dialect_.is_chat) {
      throw unsupported(
          "api: completions needs a length, or servers stop at 16 tokens: set request.output_tokens");
    }
    if (!is_exact) return;
    if (!dialect_.has_exact_output)
      throw unsupported("an exact output length: OpenAI's API cannot ask for it");
    if (dialect_.has_min_tokens) json.member("min_tokens", prompt.output_tokens);
    json.member("ignore_eos", true);
  }

  void write_reply(const tkm_prompt& prompt, JsonWriter& json) const {
    const bool is_stream = prompt.reply == TKM_REPLY_STREAM;
    if (prompt.choices > 1 && !dialect_.has_choices)
      throw unsupported("several choices: this server makes one");
    if (prompt.choices > 1) json.member("n", prompt.choices);
    json.member("stream", is_stream);
    if (is_stream && dialect_.asks_usage) {
      json.key("stream_options").begin_object().member("include_usage", true);
      if (dialect_.asks_running_usage) json.member("continuous_usage_stats", true);
      json.end_object();
    }
    if (dialect_.asks_token_ids) json.member("return_token_ids", true);
    if (prompt.cache_salt.size == 0) return;
    if (!dialect_.has_cache_salt) throw unsupported("a cache salt: OpenAI's API has none");
    json.member("cache_salt", view(prompt.cache_salt));
  }

  // ---- what the run file adds

  void check_members(const tkm_prompt& prompt) {
    const auto is_taken = [&](std::string_view name) { return this->is_taken(name, prompt); };
    const auto is_sampling = [&](std::string_view name) {
      return dialect_.has_own_sampling || is_standard(name);
    };
    added_.check(prompt, is_taken, is_sampling);
  }

  bool is_taken(std::string_view name, const tkm_prompt& prompt) const {
    using request_detail::is_one_of;
    const bool is_exact = prompt.output_mode == TKM_OUTPUT_EXACT;
    return is_one_of(name,
                     {"model", "messages", "prompt", "n", "max_tokens", "max_completion_tokens", "stream"}) ||
           (name == "stream_options" && dialect_.asks_usage) ||
           (name == "cache_salt" && prompt.cache_salt.size > 0) ||
           (name == "return_token_ids" && dialect_.asks_token_ids) ||
           (is_exact && is_one_of(name, {"min_tokens", "ignore_eos"}));
  }

  static bool is_standard(std::string_view name) {
    return request_detail::is_one_of(name, {"temperature", "top_p", "seed", "stop", "presence_penalty",
                                            "frequency_penalty", "logit_bias", "logprobs", "top_logprobs"});
  }

  OpenAiDialect dialect_;
  std::string body_, model_;
  AddedMembers added_;
};

}  // namespace tkm

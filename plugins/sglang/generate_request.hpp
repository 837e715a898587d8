// The body of SGLang's own POST /generate. OpenAI's sampling parameters go into `sampling_params`, under
// SGLang's names; an unknown one is refused by the server. One a processor instance: it keeps its buffer and
// the sampling of the last prompt.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/openai/request.hpp>
#include <tokometer/plugin.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace sglang {

class GenerateRequest {
 public:
  // The body; valid until the next call. Throws tkm::Error.
  const std::string& build(const tkm_prompt& prompt) {
    if (prompt.task != TKM_TASK_GENERATE)
      throw tkm::unsupported("this processor generates text, nothing else");
    check_extra(prompt);
    body_.clear();
    tkm::JsonWriter json(body_);
    json.begin_object();
    write_prompt(prompt, json);
    json.key("sampling_params").begin_object();
    write_length(prompt, json);
    json.raw_members(sampling(tkm::view(prompt.sampling))).end_object();
    json.member("stream", prompt.reply == TKM_REPLY_STREAM);
    if (prompt.adapter.size > 0) json.member("lora_path", tkm::view(prompt.adapter));
    if (prompt.cache_salt.size > 0) json.member("extra_key", tkm::view(prompt.cache_salt));
    json.raw_members(tkm::view(prompt.extra)).end_object();
    return body_;
  }

 private:
  static void write_prompt(const tkm_prompt& prompt, tkm::JsonWriter& json) {
    if (prompt.form != TKM_FORM_TOKENS) {
      json.member("text", tkm::request_detail::lone_text(prompt, "generate"));
      return;
    }
    json.key("input_ids").begin_array();
    for (const int32_t id : tkm::tokens(prompt)) json.value(id);
    json.end_array();
  }

  static void write_length(const tkm_prompt& prompt, tkm::JsonWriter& json) {
    if (prompt.output_tokens < 0)
      throw tkm::unsupported(
          "api: generate needs a length, or SGLang stops at 128 tokens: set request.output_tokens");
    json.member("max_new_tokens", prompt.output_tokens);
    if (prompt.output_mode == TKM_OUTPUT_EXACT) json.member("ignore_eos", true);
    if (prompt.choices > 1) json.member("n", prompt.choices);
  }

  // What stands in `sampling_params`, as one JSON object.
  const std::string& sampling(std::string_view given) {
    if (given == given_) return translated_;
    given_.clear();
    translated_.clear();
    tkm::JsonDocument root;
    if (!given.empty() && !(tkm::parse_json(given, root) && root.IsObject()))
      throw tkm::input_error("sampling is no JSON object: " + std::string(given.substr(0, 100)));
    tkm::JsonWriter json(translated_);
    json.begin_object();
    if (!given.empty()) {
      for (const auto& member : std::as_const(root).GetObject())
        write_sampling(member.name, member.value, json);
    }
    json.end_object();
    given_ = given;
    return translated_;
  }

  static void write_sampling(const tkm::Json& key, const tkm::Json& value, tkm::JsonWriter& json) {
    using tkm::request_detail::is_one_of;
    const std::string_view name = tkm::text_of(key);
    if (is_one_of(name, {"max_new_tokens", "max_tokens", "max_completion_tokens", "ignore_eos", "n"}))
      throw tkm::input_error("sampling sets \"" + std::string(name) +
                             "\", which the processor sets itself: use the request's own keys");
    if (is_one_of(name, {"logprobs", "top_logprobs"}))
      throw tkm::unsupported("sampling \"" + std::string(name) +
                             "\": with api: generate put return_logprob and top_logprobs_num in extra");
    json.key(name == "seed" ? "sampling_seed" : name == "min_tokens" ? "min_new_tokens" : name).value(value);
  }

  void check_extra(const tkm_prompt& prompt) {
    using tkm::request_detail::is_one_of;
    for (const std::string& name : extra_.of(tkm::view(prompt.extra), "extra")) {
      const bool is_taken = is_one_of(name, {"text", "input_ids", "sampling_params", "stream"}) ||
                            (name == "lora_path" && prompt.adapter.size > 0) ||
                            (name == "extra_key" && prompt.cache_salt.size > 0);
      if (is_taken)
        throw tkm::input_error("extra sets \"" + name +
                               "\", which the processor sets itself: use the request's own keys or sampling");
    }
  }

  std::string body_;
  std::string given_ = "?", translated_;  // the last sampling, and what became of it
  tkm::request_detail::MemberNames extra_;
};

}  // namespace sglang

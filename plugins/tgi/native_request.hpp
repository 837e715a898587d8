// The body of TGI's own POST /generate and /generate_stream. Sampling goes into `parameters`; TGI skips what
// it does not know without a word, so that is refused here. One a processor instance: it keeps its buffer and
// the sampling of the last prompt.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/openai/request.hpp>
#include <tokometer/plugin.hpp>

#include <string>
#include <string_view>

namespace tgi {

class NativeRequest {
 public:
  // The body; valid until the next call. Throws tkm::Error.
  const std::string& build(const tkm_prompt& prompt) {
    if (prompt.task != TKM_TASK_GENERATE)
      throw tkm::unsupported("this processor generates text, nothing else");
    if (prompt.choices > 1) throw tkm::unsupported("several choices: TGI makes one");
    if (prompt.cache_salt.size > 0) throw tkm::unsupported("a cache salt: TGI has none");
    if (!extra_.of(tkm::view(prompt.extra), "extra").empty())
      throw tkm::unsupported("extra: TGI skips other members of a request; put its parameters in sampling");
    if (prompt.output_tokens < 0)
      throw tkm::unsupported(
          "api: generate needs a length: without one TGI goes on to its limit; set request.output_tokens");
    body_.clear();
    tkm::JsonWriter json(body_);
    json.begin_object().member("inputs", tkm::request_detail::lone_text(prompt, "generate"));
    json.key("parameters").begin_object().member("max_new_tokens", prompt.output_tokens);
    json.member("details", true);
    if (prompt.adapter.size > 0) json.member("adapter_id", tkm::view(prompt.adapter));
    json.raw_members(sampling(tkm::view(prompt.sampling))).end_object().end_object();
    return body_;
  }

 private:
  // What stands in `parameters` beside the length, as one JSON object.
  const std::string& sampling(std::string_view given) {
    if (given == given_) return translated_;
    given_.clear();
    translated_.clear();
    tkm::JsonDocument root;
    if (!given.empty() && !(tkm::parse_json(given, root) && root.IsObject()))
      throw tkm::input_error("sampling is no JSON object: " + std::string(given.substr(0, 100)));
    tkm::JsonWriter json(translated_);
    json.begin_object();
    if (!given.empty()) write_all(root, json);
    json.end_object();
    given_ = given;
    return translated_;
  }

  static void write_all(const tkm::Json& sampling, tkm::JsonWriter& json) {
    // OpenAI's temperature 0 is greedy; TGI is greedy unless do_sample says otherwise, and takes no 0.
    const bool is_greedy = tkm::get_number(sampling, "temperature", 1) == 0;
    const bool has_rule = tkm::find(sampling, "do_sample") != nullptr;
    if (!has_rule) json.member("do_sample", !is_greedy);
    for (const auto& member : sampling.GetObject()) write_one(tkm::text_of(member.name), member.value, json);
  }

  static void write_one(std::string_view name, const tkm::Json& value, tkm::JsonWriter& json) {
    using tkm::request_detail::is_one_of;
    const bool is_zero = name == "temperature" && value.IsNumber() && value.GetDouble() == 0;
    const bool is_off =
        name == "top_p" && value.IsNumber() && value.GetDouble() >= 1;  // TGI takes less than 1
    if (is_zero || is_off) return;
    if (name == "stop" && value.IsString()) {
      json.key(name).begin_array().value(value).end_array();
    } else if (is_one_of(name, {"temperature", "top_p", "seed", "stop", "frequency_penalty", "top_k",
                                "typical_p", "repetition_penalty", "do_sample", "truncate", "watermark",
                                "grammar", "top_n_tokens"})) {
      json.key(name).value(value);
    } else {
      throw tkm::unsupported("sampling \"" + std::string(name) + "\": TGI's /generate has no such parameter");
    }
  }

  std::string body_;
  std::string given_ = "?", translated_;  // the last sampling, and what became of it
  tkm::request_detail::MemberNames extra_;
};

}  // namespace tgi

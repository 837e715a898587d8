// A reply of TGI's own routes: /generate_stream, one event a token and no [DONE], and /generate, one object.
//
//   token   each event with `token` is one; special ones (the end) have no text of the answer
//   end     the event with `generated_text`; `details` there have the reason and the counts
//   times   of a reply that is not streamed: in its head
//
// Refers to the JsonScratch of its processor instance.
#pragma once

#include <tokometer/json_reply.hpp>
#include <tokometer/openai/choice_news.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <string_view>

namespace tgi {

struct HeadTime {
  std::string_view field, metric;  // milliseconds
};
inline constexpr std::array kHeadTimes{HeadTime{"x-queue-time", "queue_time_ms"},
                                       HeadTime{"x-inference-time", "inference_time_ms"},
                                       HeadTime{"x-validation-time", "validation_time_ms"}};

class NativeReply : public tkm::JsonReply<NativeReply> {
 public:
  NativeReply(tkm::JsonScratch& json, const tkm_prompt& prompt) : JsonReply(prompt), json_(json) {
    head_times_.fill(-1);
  }

 private:
  friend JsonReply;
  static constexpr bool kTakesArrays = true;  // the routes that stand for /generate elsewhere

  tkm::JsonScratch& scratch() { return json_; }

  void read_head(const tkm_head& head) {
    for (const tkm_field& field : std::span(head.fields, head.field_count)) {
      const std::string_view name = tkm::view(field.name);
      if (name == "x-prompt-tokens") prompt_tokens_ = number(tkm::view(field.value));
      for (size_t at = 0; at < kHeadTimes.size(); ++at) {
        if (name == kHeadTimes[at].field) head_times_[at] = number(tkm::view(field.value));
      }
    }
  }

  static int64_t number(std::string_view text) {
    int64_t value = -1;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() ? value : -1;
  }

  void read(const tkm::Json& root, std::string_view, tkm::Events& events) {
    const tkm::Json* token = tkm::present(root, "token");
    const tkm::Json* text = tkm::present(root, "generated_text");
    if (token == nullptr && text == nullptr)
      return complaints().fail(TKM_FAIL_SEMANTICS, "neither token nor generated_text", events);
    if (token != nullptr) read_token(*token, events);
    if (text == nullptr) return;
    const tkm::Json* details = tkm::present(root, "details");
    const int64_t tokens = details == nullptr ? -1 : tkm::get_int(*details, "generated_tokens", -1);
    if (token == nullptr) {
      events.delta({.text = tkm::text_of(*text),
                    .tokens = tokens,
                    .counted_by = tokens < 0 ? TKM_COUNT_NONE : TKM_COUNT_SERVER});
    }
    end_answer(details, tokens, events);
    if (token != nullptr) finish(events);
  }

  static void read_token(const tkm::Json& token, tkm::Events& events) {
    const bool is_special = tkm::get_bool(token, "special");
    events.delta({.text = is_special ? std::string_view() : tkm::get_string(token, "text"),
                  .tokens = 1,
                  .counted_by = TKM_COUNT_EVENT});
  }

  void end_answer(const tkm::Json* details, int64_t tokens, tkm::Events& events) {
    const std::string_view word = details == nullptr ? "" : tkm::get_string(*details, "finish_reason");
    events.finish(0, finish_of(word), word);
    if (details != nullptr) prompt_tokens_ = tkm::get_int(*details, "input_length", prompt_tokens_);
    const tkm::Usage usage{.prompt_tokens = prompt_tokens_, .output_tokens = tokens};
    if (prompt_tokens_ >= 0 || tokens >= 0) events.usage(usage);
    for (size_t at = 0; at < kHeadTimes.size(); ++at) {
      if (head_times_[at] >= 0) events.metric(kHeadTimes[at].metric, static_cast<double>(head_times_[at]));
    }
  }

  static int32_t finish_of(std::string_view word) {
    if (word == "eos_token" || word == "stop_sequence") return TKM_FINISH_STOP;
    return word == "length" ? TKM_FINISH_LENGTH : TKM_FINISH_OTHER;
  }

  tkm::JsonScratch& json_;
  int64_t prompt_tokens_ = -1;
  std::array<int64_t, kHeadTimes.size()> head_times_;  // -1: not given
};

}  // namespace tgi

// A reply of SGLang's own POST /generate: an event, or an object, of one choice with its text, the ids of its
// tokens and `meta_info`.
//
//   text    all since the start, unless the server runs with --incremental-streaming-output. The ids tell
//   which
//           it is: there are as many as tokens so far, or as many as are new. Without ids: as the server said
//   count   meta_info.completion_tokens, always so far
//   fault   a finish reason `abort` with a status code: the server refused, perhaps under status 200
//
// Refers to the Shared of its processor instance.
#pragma once

#include <tokometer/json_reply.hpp>
#include <tokometer/openai/completion.hpp>
#include <tokometer/openai/usage.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sglang {

// Numbers of meta_info that become metrics of the request; in seconds but where the name says otherwise.
inline constexpr std::array kMetrics{"queue_time", "first_token_latency", "e2e_latency", "decode_throughput",
                                     "spec_accept_length"};

struct Shared {
  tkm::JsonScratch& json;
  bool is_incremental = false;  // what the server said of itself
};

class GenerateReply : public tkm::JsonReply<GenerateReply> {
 public:
  GenerateReply(Shared& shared, const tkm_prompt& prompt)
      : JsonReply(prompt), shared_(shared), choices_(prompt.choices < 1 ? 1 : prompt.choices) {}

 private:
  friend JsonReply;
  static constexpr bool kTakesArrays = true;

  struct Choice {
    uint64_t id = 0;         // of meta_info.id
    int64_t tokens = 0;      // so far
    int64_t reasoning = -1;  // of them; -1: not given
    size_t text_bytes = 0;   // so far
    bool is_finished = false;
  };

  tkm::JsonScratch& scratch() { return shared_.json; }

  void read(const tkm::Json& root, std::string_view, tkm::Events& events) {
    const tkm::Json* meta = tkm::present(root, "meta_info");
    if (meta == nullptr || !meta->IsObject()) return impossible("no meta_info", events);
    const auto index = static_cast<uint64_t>(tkm::get_int(root, "index", is_streaming() ? 0 : whole_++));
    if (index >= choices_.size()) return impossible("a choice with an index that was not asked for", events);
    Choice& choice = choices_[index];
    const uint64_t id = tkm::id_number(tkm::get_string(*meta, "id"));
    if (choice.id == 0) choice.id = id;
    if (id != 0 && id != choice.id)
      return impossible("an event with another id: part of another reply", events);
    read_choice(root, *meta, static_cast<uint32_t>(index), choice, events);
  }

  void read_choice(const tkm::Json& root, const tkm::Json& meta, uint32_t index, Choice& choice,
                   tkm::Events& events) {
    const int64_t tokens = tkm::get_int(meta, "completion_tokens", -1);
    const int64_t grown = tokens < 0 ? -1 : tokens - choice.tokens;
    if (grown < 0) complaints().warn(tkm::Complaints::kUsageBad, "no count, or one that falls", events);
    const std::string_view text = new_text(root, tokens, grown, choice);
    choice.tokens = std::max(choice.tokens, tokens);
    choice.reasoning = std::max(choice.reasoning, tkm::get_int(meta, "reasoning_tokens", -1));
    const bool is_counted = grown >= 0;
    if (!text.empty() || grown > 0) {
      events.delta({.text = text,
                    .tokens = is_counted ? grown : -1,
                    .counted_by = is_counted ? TKM_COUNT_SERVER : TKM_COUNT_NONE,
                    .choice = index});
    }
    const tkm::Json* reason = tkm::present(meta, "finish_reason");
    if (reason != nullptr) return end_choice(*reason, meta, index, choice, events);
    if (text.empty() && grown <= 0) choice.tokens > 0 ? events.keep_alive() : events.began();
  }

  std::string_view new_text(const tkm::Json& root, int64_t tokens, int64_t grown, Choice& choice) const {
    std::string_view text = tkm::get_string(root, "text");
    if (repeats_all(root, tokens, grown)) text.remove_prefix(std::min(text.size(), choice.text_bytes));
    choice.text_bytes += text.size();
    return text;
  }

  bool repeats_all(const tkm::Json& root, int64_t tokens, int64_t grown) const {
    const tkm::Json* ids = tkm::present(root, "output_ids");
    const bool is_told = ids != nullptr && ids->IsArray() && grown >= 0 && grown < tokens;
    return is_told ? ids->Size() != static_cast<uint64_t>(grown) : !shared_.is_incremental;
  }

  void end_choice(const tkm::Json& reason, const tkm::Json& meta, uint32_t index, Choice& choice,
                  tkm::Events& events) {
    const std::string_view word = reason.IsString() ? tkm::text_of(reason) : tkm::get_string(reason, "type");
    const int64_t code = tkm::get_int(reason, "status_code", -1);
    if (code >= 400) {
      const std::string_view message = tkm::get_string(reason, "message", "aborted");
      complaints().fail({tkm::fault_detail::kind_of_code(code), code, message}, events);
    } else if (!choice.is_finished) {
      events.finish(index, finish_of(word), word);
    }
    choice.is_finished = true;
    say_usage(meta, events);
    for (const char* name : kMetrics) {
      const tkm::Json* value = tkm::find(meta, name);
      if (value != nullptr && value->IsNumber()) events.metric(name, value->GetDouble());
    }
  }

  static int32_t finish_of(std::string_view word) {
    if (word == "stop") return TKM_FINISH_STOP;
    if (word == "length") return TKM_FINISH_LENGTH;
    return word == "abort" ? TKM_FINISH_ABORT : TKM_FINISH_OTHER;
  }

  // All choices are of one prompt, which counts once.
  void say_usage(const tkm::Json& meta, tkm::Events& events) const {
    tkm::Usage usage{.prompt_tokens = tkm::get_int(meta, "prompt_tokens", -1),
                     .cached_tokens = tkm::get_int(meta, "cached_tokens", -1),
                     .output_tokens = 0};
    for (const Choice& choice : choices_) {
      usage.output_tokens += choice.tokens;
      if (choice.reasoning >= 0)
        usage.reasoning_tokens = std::max<int64_t>(usage.reasoning_tokens, 0) + choice.reasoning;
    }
    events.usage(usage);
  }

  void impossible(std::string_view problem, tkm::Events& events) {
    complaints().fail(TKM_FAIL_SEMANTICS, problem, events);
  }

  Shared& shared_;
  std::vector<Choice> choices_;
  int64_t whole_ = 0;  // objects of a whole reply so far
};

}  // namespace sglang

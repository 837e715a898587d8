// One response of POST /v1/responses, streamed or whole, turned into events. Framing and errors are in
// json_reply.hpp.
//
//   token   a `*.delta` event with text: of the answer, of reasoning or its summary, of a refusal, of a
//   tool's
//           input; the name of a function that is called
//   end     response.completed, .incomplete, .failed, .cancelled: by the status inside, for vLLM tells a
//           reply that was cut as completed. No [DONE] need follow
//   usage   in the last event alone
//   faults  those of JsonReply; status "failed"; another response's id or no type: TKM_FAIL_SEMANTICS
//
// It lives as long as its response and refers to the OpenAiShared of its processor instance. Most `*.delta`
// events are told by their shape, without a parser; no allocation once warm.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/json_reply.hpp>
#include <tokometer/openai/choice_news.hpp>
#include <tokometer/openai/event_shape.hpp>
#include <tokometer/openai/reply.hpp>
#include <tokometer/openai/unescape.hpp>
#include <tokometer/openai/usage.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tkm {

class ResponsesReply : public JsonReply<ResponsesReply> {
 public:
  // `model`: as the request names it.
  ResponsesReply(OpenAiShared& shared, const tkm_prompt& prompt, std::string_view model)
      : JsonReply(prompt),
        shared_(shared),
        asked_(shared.number_of(model)),
        is_adapter_(prompt.adapter.size > 0) {}

 private:
  friend JsonReply;
  static constexpr bool kHasNamedEvents = true;
  static constexpr uint64_t kContext = 0;  // of shapes: an instance reads the replies of one api

  struct DeltaType {
    std::string_view type;
    int32_t channel;
  };
  static constexpr std::array kDeltaTypes{
      DeltaType{"response.output_text.delta", TKM_CHANNEL_TEXT},
      DeltaType{"response.reasoning_text.delta", TKM_CHANNEL_REASONING},
      DeltaType{"response.reasoning_summary_text.delta", TKM_CHANNEL_REASONING},
      DeltaType{"response.refusal.delta", TKM_CHANNEL_REFUSAL},
      DeltaType{"response.function_call_arguments.delta", TKM_CHANNEL_TOOL},
      DeltaType{"response.custom_tool_call_input.delta", TKM_CHANNEL_TOOL},
      DeltaType{"response.mcp_call_arguments.delta", TKM_CHANNEL_TOOL},
      DeltaType{"response.code_interpreter_call_code.delta", TKM_CHANNEL_TOOL}};

  JsonScratch& scratch() { return shared_.json; }

  // A `*.delta` event like one before, of this reply or another: nothing but its bytes decides what it says.
  bool read_known(std::string_view data, Events& events) {
    const auto found = shared_.shapes.find(data, kContext, shape_);
    if (!found) return false;
    const EventShape::Match& match = found->match;
    const auto text = match.is_escaped ? unescape(match.escaped, shared_.text) : std::optional(match.escaped);
    if (!text) return false;
    if (!say(found->shape.channel(), *text, events)) alive(events);
    return true;
  }

  void read(const Json& root, std::string_view data, Events& events) {
    if (!is_streaming()) return read_whole(root, events);
    const std::string_view type = get_string(root, "type");
    if (type.empty()) return complaints().fail(TKM_FAIL_SEMANTICS, "an event without a type", events);
    if (const Json* response = present(root, "response")) return read_state(*response, events);
    const bool is_new_item = type == "response.output_item.added";
    const Json* item = is_new_item ? present(root, "item") : nullptr;
    const bool has_news = item == nullptr ? say_delta(type, root, data, events)
                                          : say(TKM_CHANNEL_TOOL, function_name(*item), events);
    if (!has_news) alive(events);
  }

  // ---- a stream

  bool say_delta(std::string_view type, const Json& root, std::string_view data, Events& events) {
    const auto* const known = std::find_if(kDeltaTypes.begin(), kDeltaTypes.end(),
                                           [&](const DeltaType& it) { return it.type == type; });
    if (known == kDeltaTypes.end()) return false;
    if (!say(known->channel, get_string(root, "delta"), events)) return false;
    ChunkMeaning meaning;
    meaning.is_plain = true;
    meaning.quoted_key = "\"delta\"";
    meaning.channel = known->channel;
    shared_.shapes.learn(data, meaning, {}, kContext);
    return true;
  }

  // The response as it stands: at its beginning, and at its end with its counts.
  void read_state(const Json& response, Events& events) {
    const uint64_t id = id_number(get_string(response, "id"));
    if (id_ != 0 && id != 0 && id != id_)
      return complaints().fail(TKM_FAIL_SEMANTICS, "an event with another id: part of another reply", events);
    id_ = id;
    if (!end_response(response, events)) return alive(events);
    if (!complaints().has_failed()) finish(events);
  }

  void alive(Events& events) const {
    if (has_tokens_) {
      events.keep_alive();
    } else {
      events.began();
    }
  }

  // ---- a body

  void read_whole(const Json& root, Events& events) {
    const Json* output = present(root, "output");
    if (output == nullptr || !output->IsArray())
      return complaints().fail(TKM_FAIL_SEMANTICS, "no list of output", events);
    for (const Json& item : output->GetArray()) say_item(item, events);
    end_response(root, events);
  }

  void say_item(const Json& item, Events& events) {
    const int32_t channel =
        get_string(item, "type") == "reasoning" ? TKM_CHANNEL_REASONING : TKM_CHANNEL_TEXT;
    for (const char* key : {"summary", "content"}) {
      const Json* parts = present(item, key);
      if (parts == nullptr || !parts->IsArray()) continue;
      for (const Json& part : parts->GetArray()) {
        say(channel, get_string(part, "text"), events);
        say(TKM_CHANNEL_REFUSAL, get_string(part, "refusal"), events);
      }
    }
    say(TKM_CHANNEL_TOOL, function_name(item), events);
    for (const char* key : {"arguments", "input", "code"})
      say(TKM_CHANNEL_TOOL, get_string(item, key), events);
  }

  // ---- both

  // Empty: no function is called.
  static std::string_view function_name(const Json& item) {
    const std::string_view type = get_string(item, "type");
    return type == "function_call" || type == "custom_tool_call" ? get_string(item, "name")
                                                                 : std::string_view();
  }

  // False: there was no text.
  bool say(int32_t channel, std::string_view text, Events& events) {
    if (text.empty()) return false;
    events.delta({.text = text, .channel = channel});
    has_tokens_ = true;
    has_reasoning_ = has_reasoning_ || channel == TKM_CHANNEL_REASONING;
    has_tools_ = has_tools_ || channel == TKM_CHANNEL_TOOL;
    return true;
  }

  // False: it goes on.
  bool end_response(const Json& response, Events& events) {
    const std::string_view status = get_string(response, "status");
    const std::string_view answered = get_string(response, "model");
    if (!shared_.is_answer_of(asked_->first, answered, is_adapter_))
      complaints().warn(Complaints::kWrongModel, answered, events);
    if (status == "failed") {
      complaints().fail(find_fault(response, false).value_or(ServerFault{}), events);
    } else if (status == "completed") {
      events.finish(0, has_tools_ ? TKM_FINISH_TOOL : TKM_FINISH_STOP, status);
    } else if (status == "incomplete") {
      say_cut(response, events);
    } else if (status == "cancelled") {
      events.finish(0, TKM_FINISH_ABORT, status);
    } else {
      return false;
    }
    say_usage(response, events);
    say_metrics(response, shared_.metrics, events);
    return true;
  }

  static void say_cut(const Json& response, Events& events) {
    const Json* details = present(response, "incomplete_details");
    const std::string_view reason = details == nullptr ? "" : get_string(*details, "reason");
    int32_t kind = TKM_FINISH_OTHER;
    if (reason == "max_output_tokens" || reason == "max_tokens") kind = TKM_FINISH_LENGTH;
    if (reason == "content_filter") kind = TKM_FINISH_FILTER;
    events.finish(0, kind, reason.empty() ? "incomplete" : reason);
  }

  void say_usage(const Json& response, Events& events) {
    const Json* json = present(response, "usage");
    if (json == nullptr) return;
    ReadUsage it = read_responses_usage(*json);
    if (it.is_bad) complaints().warn(Complaints::kUsageBad, "a token count that is no such number", events);
    // 0 beside a reply with reasoning in it is no count (vLLM's deepseek_r1 parser).
    if (it.usage.reasoning_tokens == 0 && has_reasoning_) it.usage.reasoning_tokens = -1;
    if (says_something(it.usage)) events.usage(it.usage);
  }

  OpenAiShared& shared_;
  const OpenAiShared::Asked* asked_;
  uint64_t id_ = 0;    // id_number() of the response's
  uint8_t shape_ = 0;  // where the last one was found
  bool is_adapter_, has_tokens_ = false, has_reasoning_ = false, has_tools_ = false;
};

static_assert(sizeof(ResponsesReply) <= 192, "many thousands are open at once");

}  // namespace tkm

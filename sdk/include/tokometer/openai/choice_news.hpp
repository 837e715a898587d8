// What one chunk says of one choice: its texts, by channel, each told as a delta as soon as it is found.
//
// The first delta of a chunk has the count of the chunk's tokens, the others 0. Tokens without a text (half a
// character, an end mark, a piece that the server's parser holds back) are a delta with an empty text.
// Lives while the chunk is read.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/event_shape.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <string_view>

namespace tkm {

// A member that is there and not null.
inline const Json* present(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

class ChoiceNews {
 public:
  // `tokens`: how many are new, -1: not known.
  ChoiceNews(uint32_t choice, int64_t tokens, int32_t counted_by, Events& events)
      : events_(events), choice_(choice), tokens_(tokens), counted_by_(counted_by) {}

  // The texts of a delta, a message or a completion. What is wrong with them (static), or nothing.
  std::string_view read(const Json& choice) {
    const Json* part = present(choice, "delta");
    if (part == nullptr) part = present(choice, "message");
    if (part != nullptr) {
      if (!part->IsObject()) return "delta is no object";
      read_reasoning(*part);
      if (!read_text(*part, "\"content\"", TKM_CHANNEL_TEXT)) return "content is no text";
      if (!read_text(*part, "\"refusal\"", TKM_CHANNEL_REFUSAL)) return "refusal is no text";
      if (!read_tools(*part)) return "tool_calls is no array";
    }
    if (!read_text(choice, "\"text\"", TKM_CHANNEL_TEXT)) return "text is no text";
    if (deltas_ == 0 && tokens_ > 0) say(quiet_channel_, {}, {});
    return {};
  }

  bool has_delta() const { return deltas_ > 0; }
  bool has_reasoning() const { return has_reasoning_; }
  // All of it, if that was one piece of text at most.
  ChunkMeaning meaning() const {
    const bool is_plain = deltas_ == 0 || (deltas_ == 1 && !text_key_.empty());
    return {.is_plain = is_plain,
            .quoted_key = text_key_,
            .channel = text_channel_,
            .choice = choice_,
            .finish = {}};
  }

 private:
  static std::string_view unquoted(std::string_view key) { return key.substr(1, key.size() - 2); }

  // False: of the wrong type.
  bool read_text(const Json& from, std::string_view quoted_key, int32_t channel) {
    const Json* value = present(from, unquoted(quoted_key));
    if (value == nullptr) return true;
    if (value->IsString()) say_if_any(channel, text_of(*value), quoted_key);
    return value->IsString();
  }

  // Some versions send the same text under two names: the first that has any counts.
  void read_reasoning(const Json& delta) {
    for (const std::string_view key : {"\"reasoning\"", "\"reasoning_content\"", "\"thinking\""}) {
      const std::string_view text = get_string(delta, unquoted(key));
      if (text.empty()) continue;
      has_reasoning_ = true;
      return say(TKM_CHANNEL_REASONING, text, key);
    }
  }

  bool read_tools(const Json& delta) {
    if (const Json* call = present(delta, "function_call")) read_function(*call);
    const Json* calls = present(delta, "tool_calls");
    if (calls == nullptr) return true;
    if (!calls->IsArray()) return false;
    for (const Json& call : calls->GetArray()) {
      if (const Json* function = present(call, "function")) read_function(*function);
    }
    return true;
  }

  void read_function(const Json& function) {
    say_if_any(TKM_CHANNEL_TOOL, get_string(function, "name"), {});
    say_if_any(TKM_CHANNEL_TOOL, get_string(function, "arguments"), {});
  }

  void say_if_any(int32_t channel, std::string_view text, std::string_view quoted_key) {
    if (!text.empty()) return say(channel, text, quoted_key);
    quiet_channel_ = channel;
  }

  void say(int32_t channel, std::string_view text, std::string_view quoted_key) {
    events_.delta({text, tokens_, counted_by_, channel, choice_});
    text_key_ = quoted_key;
    text_channel_ = channel;
    tokens_ = 0;
    counted_by_ = TKM_COUNT_NONE;
    ++deltas_;
  }

  Events& events_;
  uint32_t choice_;
  int64_t tokens_;  // not told yet
  int32_t counted_by_;
  int32_t quiet_channel_ = TKM_CHANNEL_OTHER;  // where a text stood that was empty
  int deltas_ = 0;
  bool has_reasoning_ = false;
  std::string_view text_key_;  // of the last delta
  int32_t text_channel_ = 0;
};

}  // namespace tkm

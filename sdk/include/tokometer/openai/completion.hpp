// One JSON object of a chat completion or completion, a streamed chunk or a whole body, turned into events.
// Keeps what must be known from chunk to chunk: who is finished, which id a choice has, what running usage
// said last.
//
//   token        text of any kind (answer, reasoning, refusal, tool call), token ids, or running usage that
//   grew not a token  a role, "" or null: such a chunk is a mark count        running usage
//   (TKM_COUNT_SERVER), else token_ids (TKM_COUNT_IDS), else unknown. A chunk with text on
//                two channels counts once: its second delta has 0 tokens
//
// One a stream, inside OpenAiReply. What is no completion at all is TKM_FAIL_SEMANTICS.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/complaints.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tkm {

class CompletionReader {
 public:
  explicit CompletionReader(uint32_t choice_count) : choice_count_(choice_count < 1 ? 1 : choice_count) {
    if (choice_count_ > 1) many_.resize(choice_count_);
  }

  // What was in a chunk that held nothing but one piece of text: what EventTemplate can learn.
  struct PlainText {
    std::string_view quoted_key;  // static; empty: the chunk held more
    int32_t channel = 0;
    uint32_t choice = 0;
  };

  // `metrics`: numbers of the object "metrics" that are told. After a failure nothing more of `root` is told.
  PlainText read(const Json& root, std::span<const std::string> metrics, Complaints& complaints,
                 Events& events) {
    const Json* choices = member(root, "choices");
    const Json* usage = member(root, "usage");
    if (choices == nullptr && usage == nullptr) return impossible("no choices", complaints, events);
    if (choices != nullptr && !choices->IsArray())
      return impossible("choices is no array", complaints, events);
    const size_t count = choices == nullptr ? 0 : choices->Size();
    Usage totals = usage == nullptr ? Usage() : read_usage(*usage, complaints, events);
    const bool is_running = count == 1 && usage != nullptr && !has_no_running_usage_;
    has_no_running_usage_ = has_no_running_usage_ || (count > 0 && !is_running);

    Chunk chunk{find_id(root), is_running ? &totals : nullptr};
    for (size_t at = 0; at < count; ++at) {
      read_choice((*choices)[static_cast<rapidjson::SizeType>(at)], chunk, complaints, events);
      if (complaints.has_failed()) return {};
    }
    if (!chunk.has_news && (count > 0 || usage == nullptr)) alive(events);
    if (usage != nullptr) say_usage(totals, events);
    const bool has_metrics = say_metrics(root, metrics, events);
    return count == 1 && usage == nullptr && !has_metrics ? chunk.plain : PlainText();
  }

  // A chunk that EventTemplate recognised.
  void read_text(uint32_t choice, int32_t channel, std::string_view text, Events& events) {
    if (text.empty()) return alive(events);
    events.delta({.text = text, .channel = channel, .choice = choice});
    has_tokens_ = true;
  }

  // The last word of a failed response.
  void read_usage_only(const Json& root, Complaints& complaints, Events& events) {
    if (const Json* usage = member(root, "usage")) say_usage(read_usage(*usage, complaints, events), events);
  }

  uint32_t choice_count() const { return choice_count_; }
  // A number that stands for the id that came with `choice`; 0: none.
  uint32_t id_of(uint32_t choice) const { return (many_.empty() ? one_ : many_[choice]).id; }

 private:
  static constexpr int64_t kMostTokens = 1'000'000'000;  // in one reply; more is nonsense

  struct Choice {
    int64_t output_tokens = 0;  // by running usage
    uint32_t id = 0;
    bool is_finished = false;
  };

  struct Chunk {
    uint32_t id = 0;
    Usage* running = nullptr;  // so far, of the one choice in it; becomes that of all choices
    bool has_news = false;     // a delta or a finish
    PlainText plain = {};
  };

  // What a chunk says of one choice, while it is read.
  struct News {
    uint32_t choice = 0;
    int64_t tokens = -1;  // for the first delta
    int32_t counted_by = TKM_COUNT_NONE;
    int32_t quiet_channel = TKM_CHANNEL_OTHER;  // where a text stood that was empty
    int deltas = 0;
    PlainText plain = {};
  };

  // A member that is there and not null.
  static const Json* member(const Json& object, std::string_view key) {
    const Json* value = find(object, key);
    return value == nullptr || value->IsNull() ? nullptr : value;
  }

  static uint32_t find_id(const Json& root) {
    uint32_t hash = 2166136261u;  // FNV-1a
    const std::string_view id = get_string(root, "id");
    if (id.empty()) return 0;
    for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return hash == 0 ? 1 : hash;
  }

  static PlainText impossible(std::string_view problem, Complaints& complaints, Events& events) {
    complaints.fail(TKM_FAIL_SEMANTICS, problem, events);
    return {};
  }

  void read_choice(const Json& json, Chunk& chunk, Complaints& complaints, Events& events) {
    News news;
    if (!json.IsObject()) return void(impossible("a choice is no object", complaints, events));
    if (!read_index(json, news.choice)) {
      return void(impossible("a choice with an index that was not asked for", complaints, events));
    }
    Choice& choice = many_.empty() ? one_ : many_[news.choice];
    if (choice.id == 0) choice.id = chunk.id;
    if (chunk.id != 0 && choice.id != chunk.id) {
      return void(impossible("a chunk with another id: part of another reply", complaints, events));
    }
    read_count(json, chunk.running, choice, news, complaints, events);
    const bool has_ids_or_count = news.counted_by != TKM_COUNT_NONE;
    if (const auto problem = read_texts(json, news, events); !problem.empty()) {
      return void(impossible(problem, complaints, events));
    }
    if (news.deltas == 0 && news.tokens > 0) say(news, news.quiet_channel, {}, {}, events);
    const bool is_end = read_finish(json, news.choice, choice, events);
    chunk.has_news = chunk.has_news || news.deltas > 0 || is_end;
    if (news.deltas == 1 && !is_end && !has_ids_or_count) chunk.plain = news.plain;
  }

  bool read_index(const Json& json, uint32_t& index) const {
    const Json* value = find(json, "index");
    if (value == nullptr) return true;
    if (!value->IsUint() || value->GetUint() >= choice_count_) return false;
    index = value->GetUint();
    return true;
  }

  void read_count(const Json& json, Usage* running, Choice& choice, News& news, Complaints& complaints,
                  Events& events) {
    const Json* ids = find(json, "token_ids");
    if (running != nullptr && running->output_tokens >= 0) {
      if (running->output_tokens >= choice.output_tokens) {
        news.tokens = running->output_tokens - choice.output_tokens;
        news.counted_by = TKM_COUNT_SERVER;
        choice.output_tokens = running->output_tokens;
      } else {
        complaints.warn(Complaints::kUsageBad, "a running count that falls", events);
      }
      if (!many_.empty()) running->output_tokens = 0;
      for (const Choice& other : many_) running->output_tokens += other.output_tokens;
    } else if (ids != nullptr && ids->IsArray()) {
      news.tokens = ids->Size();
      news.counted_by = TKM_COUNT_IDS;
    }
  }

  // The texts of a choice: of a delta, a message or a completion. What is wrong with them, or nothing.
  std::string_view read_texts(const Json& choice, News& news, Events& events) {
    const Json* part = member(choice, "delta");
    if (part == nullptr) part = member(choice, "message");
    if (part != nullptr) {
      if (!part->IsObject()) return "delta is no object";
      read_reasoning(*part, news, events);
      if (!read_text(*part, "\"content\"", TKM_CHANNEL_TEXT, news, events)) return "content is no text";
      if (!read_text(*part, "\"refusal\"", TKM_CHANNEL_REFUSAL, news, events)) return "refusal is no text";
      if (!read_tools(*part, news, events)) return "tool_calls is no array";
    }
    return read_text(choice, "\"text\"", TKM_CHANNEL_TEXT, news, events) ? "" : "text is no text";
  }

  bool read_text(const Json& from, std::string_view quoted_key, int32_t channel, News& news, Events& events) {
    const Json* value = member(from, quoted_key.substr(1, quoted_key.size() - 2));
    if (value == nullptr) return true;
    if (!value->IsString()) return false;
    say_if_any(news, channel, text_of(*value), quoted_key, events);
    return true;
  }

  // Some versions send the same text under two names: the first that has any counts.
  void read_reasoning(const Json& delta, News& news, Events& events) {
    for (const std::string_view key : {"\"reasoning\"", "\"reasoning_content\"", "\"thinking\""}) {
      const std::string_view text = get_string(delta, key.substr(1, key.size() - 2));
      if (text.empty()) continue;
      has_reasoning_ = true;
      return say(news, TKM_CHANNEL_REASONING, text, key, events);
    }
  }

  bool read_tools(const Json& delta, News& news, Events& events) {
    if (const Json* call = member(delta, "function_call")) read_function(*call, news, events);
    const Json* calls = member(delta, "tool_calls");
    if (calls == nullptr) return true;
    if (!calls->IsArray()) return false;
    for (const Json& call : calls->GetArray()) {
      if (const Json* function = member(call, "function")) read_function(*function, news, events);
    }
    return true;
  }

  void read_function(const Json& function, News& news, Events& events) {
    say_if_any(news, TKM_CHANNEL_TOOL, get_string(function, "name"), {}, events);
    say_if_any(news, TKM_CHANNEL_TOOL, get_string(function, "arguments"), {}, events);
  }

  void say_if_any(News& news, int32_t channel, std::string_view text, std::string_view quoted_key,
                  Events& events) {
    if (!text.empty()) return say(news, channel, text, quoted_key, events);
    news.quiet_channel = channel;
  }

  // The first delta of a chunk has its count, the others 0.
  void say(News& news, int32_t channel, std::string_view text, std::string_view quoted_key, Events& events) {
    events.delta({text, news.tokens, news.counted_by, channel, news.choice});
    news.plain = {quoted_key, channel, news.choice};
    news.tokens = 0;
    news.counted_by = TKM_COUNT_NONE;
    ++news.deltas;
    has_tokens_ = true;
  }

  static bool read_finish(const Json& json, uint32_t index, Choice& choice, Events& events) {
    const std::string_view reason = get_string(json, "finish_reason");
    if (reason.empty() || choice.is_finished) return false;
    choice.is_finished = true;
    events.finish(index, finish_of(reason), reason);
    return true;
  }

  static int32_t finish_of(std::string_view reason) {
    if (reason == "stop" || reason == "eos_token" || reason == "stop_sequence") return TKM_FINISH_STOP;
    if (reason == "length") return TKM_FINISH_LENGTH;
    if (reason == "tool_calls" || reason == "function_call") return TKM_FINISH_TOOL;
    if (reason == "content_filter") return TKM_FINISH_FILTER;
    if (reason == "abort" || reason == "error") return TKM_FINISH_ABORT;
    return TKM_FINISH_OTHER;
  }

  // A chunk without news of tokens.
  void alive(Events& events) const {
    if (has_tokens_) {
      events.keep_alive();
    } else {
      events.began();
    }
  }

  Usage read_usage(const Json& usage, Complaints& complaints, Events& events) const {
    bool is_bad = !usage.IsObject();
    const auto count = [&](const Json* from, std::string_view key) -> int64_t {
      const Json* value = from == nullptr ? nullptr : member(*from, key);
      if (value == nullptr) return -1;
      const int64_t number = int_of(*value).value_or(-1);
      if (number >= 0 && number <= kMostTokens) return number;
      is_bad = true;
      return -1;
    };
    Usage it{.prompt_tokens = count(&usage, "prompt_tokens"),
             .cached_tokens = count(member(usage, "prompt_tokens_details"), "cached_tokens"),
             .output_tokens = count(&usage, "completion_tokens"),
             .reasoning_tokens = count(member(usage, "completion_tokens_details"), "reasoning_tokens")};
    if (it.reasoning_tokens < 0) it.reasoning_tokens = count(&usage, "reasoning_tokens");
    if (is_bad) complaints.warn(Complaints::kUsageBad, "a token count that is no such number", events);
    return it;
  }

  void say_usage(Usage usage, Events& events) const {
    // 0 beside a reply with reasoning in it is no count (vLLM's deepseek_r1 parser).
    if (usage.reasoning_tokens == 0 && has_reasoning_) usage.reasoning_tokens = -1;
    const bool says_something = usage.prompt_tokens >= 0 || usage.cached_tokens >= 0 ||
                                usage.output_tokens >= 0 || usage.reasoning_tokens >= 0;
    if (says_something) events.usage(usage);
  }

  static bool say_metrics(const Json& root, std::span<const std::string> names, Events& events) {
    const Json* metrics = names.empty() ? nullptr : member(root, "metrics");
    if (metrics == nullptr) return false;
    for (const std::string& name : names) {
      const Json* value = find(*metrics, name);
      if (value != nullptr && value->IsNumber()) events.metric(name, value->GetDouble());
    }
    return true;
  }

  uint32_t choice_count_;
  Choice one_;
  std::vector<Choice> many_;  // empty: one choice
  bool has_tokens_ = false, has_reasoning_ = false;
  bool has_no_running_usage_ = false;  // usage, where it comes, comes at the end
};

}  // namespace tkm

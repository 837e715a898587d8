// One JSON object of a chat completion or completion, a streamed chunk or a whole body, turned into events.
// Keeps what must be known from chunk to chunk: who is finished, which id a choice has, what running usage
// said last.
//
//   token   text of any kind, or token ids or running usage that say so without a text (choice_news.hpp).
//           A role, "" and null are none: such a chunk is a mark
//   count   running usage (TKM_COUNT_SERVER), else token_ids (TKM_COUNT_IDS), else unknown
//
// One a stream, inside OpenAiReply. What is no completion at all is TKM_FAIL_SEMANTICS.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/choice_news.hpp>
#include <tokometer/openai/complaints.hpp>
#include <tokometer/openai/usage.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tkm {

// Tells the numbers of `names` in the object "metrics", which is vLLM's, or "stats", which is NIM's and has
// another in itself. False: there is no such object.
inline bool say_metrics(const Json& root, std::span<const std::string> names, Events& events) {
  if (names.empty()) return false;
  const Json* stats = present(root, "stats");
  const Json* inner = stats == nullptr ? nullptr : present(*stats, "response_tokens");
  bool has_any = false;
  for (const Json* object : {present(root, "metrics"), stats, inner}) {
    if (object == nullptr) continue;
    has_any = true;
    for (const std::string& name : names) {
      const Json* value = find(*object, name);
      if (value != nullptr && value->IsNumber()) events.metric(name, value->GetDouble());
    }
  }
  return has_any;
}

class CompletionReader {
 public:
  explicit CompletionReader(uint32_t choice_count) : choice_count_(choice_count < 1 ? 1 : choice_count) {
    if (choice_count_ > 1) many_.resize(choice_count_);
  }

  // `metrics`: numbers of the objects "metrics" and "stats" that are told. After a failure nothing more of
  // `root` is told.
  ChunkMeaning read(const Json& root, std::span<const std::string> metrics, Complaints& complaints,
                    Events& events) {
    const Json* choices = present(root, "choices");
    const Json* usage = present(root, "usage");
    if (choices == nullptr && usage == nullptr) return impossible("no choices", complaints, events);
    const bool is_list = choices == nullptr || choices->IsArray();
    if (!is_list) return impossible("choices is no array", complaints, events);
    const size_t count = choices == nullptr ? 0 : choices->Size();
    Usage totals = usage == nullptr ? Usage() : checked_usage(*usage, complaints, events);
    const bool is_running = count == 1 && usage != nullptr && !has_no_running_usage_;

    Chunk chunk{id_number(get_string(root, "id")), is_running ? &totals : nullptr};
    for (size_t at = 0; at < count; ++at) {
      read_choice((*choices)[static_cast<rapidjson::SizeType>(at)], chunk, complaints, events);
      if (complaints.has_failed()) return {};
    }
    // A chunk with the role alone has no usage even where all others have (SGLang).
    has_no_running_usage_ = has_no_running_usage_ || (chunk.has_news && !is_running);
    if (!chunk.has_news && (count > 0 || usage == nullptr)) alive(events);
    if (usage != nullptr) say_usage(totals, events);
    const bool has_metrics = say_metrics(root, metrics, events);
    if (has_metrics || (count == 0) == (usage == nullptr) || count > 1) return {};
    return usage == nullptr ? chunk.meaning : usage_alone(totals);
  }

  // A chunk of a known shape, with its text. False: not of this reply; nothing was told.
  bool read_known(const EventShape& shape, const EventShape::Match& match, std::string_view text,
                  Events& events) {
    if (shape.has_usage()) return say_usage(match.usage, events), true;
    if (match.choice >= choice_count_) return false;
    Choice& choice = choice_at(match.choice);
    if (!take_id(choice, match.id, !shape.finish().empty())) return false;
    if (!text.empty()) {
      events.delta({.text = text, .channel = shape.channel(), .choice = match.choice});
      has_tokens_ = true;
      has_reasoning_ = has_reasoning_ || shape.channel() == TKM_CHANNEL_REASONING;
    }
    const bool is_end = end_choice(shape.finish(), match.choice, choice, events);
    if (text.empty() && !is_end) {
      alive(events);
    } else {
      has_no_running_usage_ = true;
    }
    return true;
  }

  // The last word of a failed response.
  void read_usage_only(const Json& root, Complaints& complaints, Events& events) {
    const Json* usage = present(root, "usage");
    if (usage != nullptr) say_usage(checked_usage(*usage, complaints, events), events);
  }

  uint32_t choice_count() const { return choice_count_; }

 private:
  struct Choice {
    int64_t output_tokens = 0;  // by running usage
    uint64_t id = 0;            // id_number() of the id that came with it
    bool is_finished = false;
  };

  struct Count {
    int64_t tokens = -1;
    int32_t counted_by = TKM_COUNT_NONE;
  };

  struct Chunk {
    uint64_t id = 0;
    Usage* running = nullptr;  // so far, of the one choice in it; becomes that of all choices
    bool has_news = false;     // a delta or a finish
    ChunkMeaning meaning = {};
  };

  Choice& choice_at(uint32_t index) { return many_.empty() ? one_ : many_[index]; }

  // False: another reply's. Where each choice has an id of its own, all end under that of the last (SGLang).
  bool take_id(Choice& choice, uint64_t id, bool is_end) const {
    if (choice.id == 0) choice.id = id;
    if (id == 0 || choice.id == id) return true;
    return is_end && std::any_of(many_.begin(), many_.end(), [id](const Choice& it) { return it.id == id; });
  }

  static ChunkMeaning usage_alone(const Usage& totals) {
    ChunkMeaning meaning;
    meaning.is_plain = meaning.has_usage = true;
    meaning.usage = totals;
    return meaning;
  }

  static ChunkMeaning impossible(std::string_view problem, Complaints& complaints, Events& events) {
    complaints.fail(TKM_FAIL_SEMANTICS, problem, events);
    return {};
  }

  void read_choice(const Json& json, Chunk& chunk, Complaints& complaints, Events& events) {
    uint32_t index = 0;
    if (!json.IsObject()) return void(impossible("a choice is no object", complaints, events));
    if (!read_index(json, index)) {
      return void(impossible("a choice with an index that was not asked for", complaints, events));
    }
    Choice& choice = choice_at(index);
    const std::string_view finish = get_string(json, "finish_reason");
    if (!take_id(choice, chunk.id, !finish.empty())) {
      return void(impossible("a chunk with another id: part of another reply", complaints, events));
    }
    const Count count = read_count(json, chunk.running, choice, complaints, events);
    ChoiceNews news(index, count.tokens, count.counted_by, events);
    const std::string_view problem = news.read(json);
    has_tokens_ = has_tokens_ || news.has_delta();
    has_reasoning_ = has_reasoning_ || news.has_reasoning();
    if (!problem.empty()) return void(impossible(problem, complaints, events));
    const bool is_end = end_choice(finish, index, choice, events);
    chunk.has_news = chunk.has_news || news.has_delta() || is_end;
    if (count.counted_by != TKM_COUNT_NONE) return;
    chunk.meaning = news.meaning();
    chunk.meaning.finish = finish;
  }

  bool read_index(const Json& json, uint32_t& index) const {
    const Json* value = find(json, "index");
    if (value == nullptr) return true;
    if (!value->IsUint() || value->GetUint() >= choice_count_) return false;
    index = value->GetUint();
    return true;
  }

  // How many tokens of `choice` are new, and by whose count.
  Count read_count(const Json& json, Usage* running, Choice& choice, Complaints& complaints, Events& events) {
    if (running == nullptr || running->output_tokens < 0) {
      const Json* ids = present(json, "token_ids");
      const bool has_ids = ids != nullptr && ids->IsArray();
      return has_ids ? Count{ids->Size(), TKM_COUNT_IDS} : Count();
    }
    const int64_t grown = running->output_tokens - choice.output_tokens;
    if (grown >= 0) {
      choice.output_tokens = running->output_tokens;
    } else {
      complaints.warn(Complaints::kUsageBad, "a running count that falls", events);
    }
    if (!many_.empty()) running->output_tokens = 0;
    for (const Choice& one : many_) running->output_tokens += one.output_tokens;
    return grown >= 0 ? Count{grown, TKM_COUNT_SERVER} : Count();
  }

  static bool end_choice(std::string_view reason, uint32_t index, Choice& choice, Events& events) {
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

  static Usage checked_usage(const Json& json, Complaints& complaints, Events& events) {
    const ReadUsage read = read_usage(json);
    if (read.is_bad) complaints.warn(Complaints::kUsageBad, "a token count that is no such number", events);
    return read.usage;
  }

  void say_usage(Usage usage, Events& events) const {
    // 0 beside a reply with reasoning in it is no count (vLLM's deepseek_r1 parser).
    if (usage.reasoning_tokens == 0 && has_reasoning_) usage.reasoning_tokens = -1;
    if (says_something(usage)) events.usage(usage);
  }

  uint32_t choice_count_;
  Choice one_;
  std::vector<Choice> many_;  // empty: one choice
  bool has_tokens_ = false, has_reasoning_ = false;
  bool has_no_running_usage_ = false;  // usage, where it comes, comes at the end
};

}  // namespace tkm

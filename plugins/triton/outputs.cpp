#include "outputs.hpp"

namespace triton {
namespace {

using tkm::Complaints;
using tkm::Events;

constexpr int64_t kMostTokens = 1'000'000'000;  // in one response; more is nonsense
constexpr std::string_view kUnfinishedCharacter = "\xEF\xBF\xBD";

int64_t sensible(int64_t count) {
  return count >= 0 && count <= kMostTokens ? count : -1;
}

}  // namespace

void Outputs::take(Response response, bool is_cumulative, Complaints& complaints, Events& events) {
  if (is_cumulative && !take_new(response.text, complaints, events)) return;
  const int64_t tokens = sensible(response.tokens);
  if (!response.text.empty() || tokens > 0) {
    events.delta({.text = response.text,
                  .tokens = tokens,
                  .counted_by = tokens < 0 ? TKM_COUNT_NONE : TKM_COUNT_SERVER});
    has_tokens_ = true;
  } else if (has_tokens_) {
    events.keep_alive();
  } else {
    events.began();
  }
  count(sensible(response.prompt_tokens), tokens, events);
  if (response.reason.empty()) return;
  has_reason_ = true;
  if (response.reason != "None") finish(response.reason, events);
}

// Of a text that holds all so far: what is new. Half a character at its end (U+FFFD) may still change.
bool Outputs::take_new(std::string_view& text, Complaints& complaints, Events& events) {
  while (text.ends_with(kUnfinishedCharacter)) text.remove_suffix(kUnfinishedCharacter.size());
  if (so_far_.starts_with(text)) return text = {}, true;
  if (!text.starts_with(so_far_)) {
    complaints.fail(TKM_FAIL_SEMANTICS, "the text does not begin with what came before: is accumulate right?",
                    events);
    return false;
  }
  const size_t known = so_far_.size();
  so_far_ = text;
  text.remove_prefix(known);
  return true;
}

void Outputs::count(int64_t prompt_tokens, int64_t tokens, Events& events) {
  if (tokens >= 0) output_tokens_ = (output_tokens_ < 0 ? 0 : output_tokens_) + tokens;
  if (prompt_tokens >= 0 || tokens >= 0)
    events.usage({.prompt_tokens = prompt_tokens, .output_tokens = output_tokens_});
}

void Outputs::finish(std::string_view word, Events& events) {
  if (is_finished_) return;
  is_finished_ = true;
  const int32_t reason = word == "stop"     ? TKM_FINISH_STOP
                         : word == "length" ? TKM_FINISH_LENGTH
                         : word == "abort"  ? TKM_FINISH_ABORT
                                            : TKM_FINISH_OTHER;
  events.finish(0, reason, word);
}

void Outputs::end(Events& events) {
  finish({}, events);
  events.done();
}

void Outputs::end_of_body(Events& events) {
  if (is_finished_ || !has_reason_) end(events);
}

}  // namespace triton

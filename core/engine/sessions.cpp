#include "engine/sessions.hpp"

namespace tokometer {
namespace {

constexpr std::string_view kAssistant = "assistant";

tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

void History::put(const Session& session, tkm_prompt& prompt) {
  prompt.session = str(session.id);
  prompt.turn = static_cast<uint32_t>(session.turn);
  prompt.carry = str(session.carry);
  if (!session.has_history()) return;
  messages_.clear();
  answers_.clear();
  answers_.reserve(session.turn);
  const bool scripted = session.sample(session.turn)->history == TKM_HISTORY_SCRIPT;
  for (uint64_t turn = 0; turn < session.turn; ++turn) add_turn(session, turn, scripted);
  prompt.history_count = messages_.size();
  messages_.insert(messages_.end(), prompt.messages, prompt.messages + prompt.message_count);
  prompt.messages = messages_.data();
  prompt.message_count = messages_.size();
}

// A script may leave out an answer; what the server said stands there even if it is empty.
void History::add_turn(const Session& session, uint64_t turn, bool scripted) {
  const Sample& sample = *session.sample(turn);
  messages_.insert(messages_.end(), sample.messages().begin(), sample.messages().end());
  const tkm_str answer = scripted ? sample.answer() : str(session.answers[turn]);
  if (scripted && answer.size == 0) return;
  answers_.push_back({.kind = TKM_PART_TEXT, .reserved = 0, .type = {}, .data = answer});
  messages_.push_back({.role = str(kAssistant), .extra = {}, .parts = &answers_.back(), .part_count = 1});
}

}  // namespace tokometer

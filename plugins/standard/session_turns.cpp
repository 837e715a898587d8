#include "session_turns.hpp"

#include <cmath>

namespace standard {
namespace {

int32_t history_of(const std::string& word) {
  if (word == "scripted") return TKM_HISTORY_SCRIPT;
  return word == "none" ? TKM_HISTORY_NONE : TKM_HISTORY_SERVER;
}

}  // namespace

Turns::Turns(const TurnOptions& options, const tkm_create_args& args)
    : history_(history_of(options.history)),
      think_time_(options.think_time, "think_time", 0),
      think_(args.seed, "think") {}

void Turns::begin(uint32_t turns) {
  ++session_;
  turn_ = 0;
  turns_ = turns;
}

void Turns::say(tkm::SampleOut& out) {
  const double think_s = turn_ == 0 ? 0 : think_time_.draw(think_);
  out.turn({.session = std::to_string(session_),
            .turn = turn_,
            .last = turn_ + 1 == turns_,
            .history = history_,
            .think_time_ns = std::llround(think_s * 1e9)});
  ++turn_;
}

}  // namespace standard

// Rows that are played as sessions: the options for it, and how a turn says its place. For datasets whose
// `next` gives one turn of a conversation after the other.
#pragma once

#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <cstdint>
#include <string>

#include "distribution.hpp"

namespace standard {

// How the turns of a session follow each other.
struct TurnOptions {
  std::string history = "server";
  ThinkTime think_time;

  template <class T>
  static void add_to(tkm::OptionSet<T>& o) {
    o.add("history", static_cast<std::string T::*>(&TurnOptions::history))
        .one_of({"server", "scripted", "none"})
        .help(
            "What goes in front of a later turn: all turns before with the server's own answers, with those "
            "of "
            "the data, or nothing.");
    o.add("think_time", static_cast<ThinkTime T::*>(&TurnOptions::think_time))
        .help("From the end of a turn to the next one of its session: a time, or a distribution of times.")
        .example("\"2s\"")
        .example(R"({"distribution":"exponential","mean":"2s"})");
  }
};

// The same for datasets that otherwise ask one question a row.
struct SessionOptions : TurnOptions {
  bool sessions = false;

  template <class T>
  static void add_to(tkm::OptionSet<T>& o) {
    o.add("sessions", static_cast<bool T::*>(&SessionOptions::sessions))
        .help("Each row is a session: its questions are asked one after the other.");
    TurnOptions::add_to(o);
  }
};

// Numbers sessions and their turns.
class Turns {
 public:
  Turns(const TurnOptions& options, const tkm_create_args& args);

  void begin(uint32_t turns);  // a session of so many, at least one
  bool goes_on() const { return turn_ < turns_; }
  uint32_t turn() const { return turn_; }  // which one is to be said
  bool scripted() const { return history_ == TKM_HISTORY_SCRIPT; }
  void say(tkm::SampleOut& out);  // its place; the next one is then to be said

 private:
  int32_t history_;
  Distribution think_time_;  // s
  tkm::Random think_;
  uint64_t session_ = 0;
  uint32_t turn_ = 0, turns_ = 0;
};

}  // namespace standard

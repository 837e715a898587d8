// Conversations: which turn of a session is next, what earlier turns left for it, and the prompt that comes
// of both.
//
// The load driver makes a Session with the release of its first turn. It has one holder at a time: the driver
// between two turns, a worker from a turn's release to its completion; so it has no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/samples.hpp"

#include <tokometer/abi.h>

namespace tokometer {

struct Session {
  std::string id;       // of its own in the run, also where a row is used again
  uint64_t number = 0;  // of the run's sessions, from 0: decides on which server and I/O thread it stays
  std::shared_ptr<const Sample> first;
  std::string_view model, adapter;   // of the run file's mix
  uint64_t turn = 0;                 // the one that is next or on its way
  std::vector<std::string> answers;  // what the server said to each turn so far; empty where nobody needs it
  std::string carry;                 // the conversation's state at the server, as the processor told it

  uint64_t turns() const { return 1 + first->later.size(); }
  uint64_t turns_left() const { return first->later.size() - turn; }  // behind `turn`
  const std::shared_ptr<const Sample>& sample(uint64_t index) const {
    return index == 0 ? first : first->later[index - 1];
  }
  // Earlier turns go in front of this one.
  bool has_history() const { return turn > 0 && sample(turn)->history != TKM_HISTORY_NONE; }
};

// Puts a turn's place in its session into a prompt, with the messages of earlier turns in front where the
// data ask for them. One per encoder, made for reuse.
class History {
 public:
  // The views of `prompt` hold until the next call and as long as the session stays as it is.
  void put(const Session& session, tkm_prompt& prompt);

 private:
  void add_turn(const Session& session, uint64_t turn, bool scripted);

  std::vector<tkm_message> messages_;
  std::vector<tkm_part> answers_;  // not moved while there are messages with views into it
};

}  // namespace tokometer

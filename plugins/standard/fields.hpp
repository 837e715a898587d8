// The prompt of a record by the names of its fields: what jsonl, csv and most published sets come down to.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrival_times.hpp"
#include "chat_messages.hpp"
#include "readers.hpp"
#include "session_turns.hpp"

namespace standard {

// Where a part of the sample stands: the first of the names that a record has, null and absent being the
// same.
struct Field {
  std::vector<std::string> names;
  bool needed = false;
};

struct Fields {
  std::string lead;  // put in front of the prompt's text
  Field prompt;      // a text, or a list of token ids
  Field appendix;    // a text behind the prompt, with an empty line between
  Field messages;    // in place of a prompt
  Field system;      // a text
  Field answer;      // a text, the scripted one
  Field output_tokens;
  Field timestamp;
};

// Says records as samples. Bad ones are thrown.
class FieldPrompts {
 public:
  explicit FieldPrompts(Fields fields, const ArrivalOptions& arrivals = {});
  // Each record is a session; a prompt in place of messages is one of one turn.
  void play_sessions(const TurnOptions& options, const tkm_create_args& args);
  // The next record that arrives inside of `from` and `to`. False: there are no more.
  bool next(Records& records, tkm::SampleOut& out);

 private:
  // One record, and how its faults are said.
  struct Source {
    const tkm::Json& record;
    const Records& records;

    const tkm::Json* find(const Field& field) const;
    bool is_empty_cell(const tkm::Json& value) const;  // of CSV
    tkm::Error absent(const Field& field) const;
    std::string_view text(const Field& field, std::string_view called) const;  // empty: not there
  };

  std::optional<int64_t> arrival(const Source& from);
  void say(const Source& from, tkm::SampleOut& out);
  void say_turn_of(const Source& from, tkm::SampleOut& out);
  void begin_session(const Source& from);
  void say_prompt(const Source& from, tkm::SampleOut& out);
  void say_text(const Source& from, const tkm::Json& prompt, std::string_view system, tkm::SampleOut& out);
  void say_ids(const Source& from, const tkm::Json& prompt, std::string_view system, tkm::SampleOut& out);
  int64_t output_length(const Source& from) const;

  Fields fields_;
  std::optional<Turns> turns_;               // where records are sessions
  std::vector<TurnMessages> turn_messages_;  // of the record at hand
  ArrivalTimes times_;
  std::vector<int32_t> ids_;
  std::string text_;
};

}  // namespace standard

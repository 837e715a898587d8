// A list of messages as OpenAI's chat API writes them, said to a sample: roles, text, image and video URLs,
// tool calls.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <vector>

#include "readers.hpp"

namespace standard {

// Says all messages of `list`; one of the assistant at the very end becomes the scripted answer instead.
// Throws a bad record (`records` says where) if it is no such list or asks nothing.
void say_messages(const tkm::Json& list, const Records& records, tkm::SampleOut& out);

// A part of a list that is one turn of a session: messages up to and without `end`, then perhaps the answer.
struct TurnMessages {
  rapidjson::SizeType begin, end;
  bool answered;
};

// The turns of `list`: each ends with a message of the assistant, or with the list. Throws a bad record if it
// is no list of messages, a turn asks nothing, or there are calls of tools, whose results depend on the
// answers.
std::vector<TurnMessages> turns_of(const tkm::Json& list, const Records& records);
void say_turn(const tkm::Json& list, const TurnMessages& turn, const Records& records, tkm::SampleOut& out);

}  // namespace standard

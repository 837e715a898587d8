// A list of messages as OpenAI's chat API writes them, said to a sample: roles, text, image and video URLs,
// tool calls.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include "readers.hpp"

namespace standard {

// Says all messages of `list`; one of the assistant at the very end becomes the scripted answer instead.
// Throws a bad record (`records` says where) if it is no such list or asks nothing.
void say_messages(const tkm::Json& list, const Records& records, tkm::SampleOut& out);

}  // namespace standard

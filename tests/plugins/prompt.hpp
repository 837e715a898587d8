// A prompt to change and to encode: a chat of one message, streamed, at most 8 tokens. Holds what it points
// to.
#pragma once

#include <tokometer/plugin.hpp>

#include <array>
#include <string_view>

namespace processor_test {

struct Prompt {
  tkm_part part{TKM_PART_TEXT, 0, {}, tkm::str("Hi \"you\"\n")};
  tkm_message message{tkm::str("user"), {}, &part, 1};
  std::array<int32_t, 3> ids{1, 22, 333};
  tkm_prompt it{};

  Prompt() {
    it.struct_size = sizeof it;
    it.form = TKM_FORM_CHAT;
    it.reply = TKM_REPLY_STREAM;
    it.messages = &message;
    it.message_count = 1;
    it.choices = 1;
    it.output_tokens = 8;
    it.model = tkm::str("m");
  }
  Prompt& text(std::string_view words) {
    it.form = TKM_FORM_TEXT;
    it.text = tkm::str(words);
    return *this;
  }
  Prompt& tokens() {
    it.form = TKM_FORM_TOKENS;
    it.tokens = ids.data();
    it.token_count = ids.size();
    return *this;
  }
};

}  // namespace processor_test

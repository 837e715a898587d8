// A stretch of a dataset's own texts, and what the server's tokenizer makes of it: tokens a word, tokens a
// byte. Many prompts are looked at, since one says little about the others. A handful of calls, before the
// load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "engine/samples.hpp"
#include "engine/server_tokens.hpp"

namespace tokometer {

struct TextSurvey {
  size_t words = 0, bytes = 0;
  int64_t tokens = 0;  // of the text alone
  int64_t around = 0;  // what the server puts around any text: a begin-of-text

  double per_word() const { return static_cast<double>(tokens) / static_cast<double>(words); }
  double bytes_per_token() const { return static_cast<double>(bytes) / static_cast<double>(tokens); }
};

size_t count_words(std::string_view text);

// The texts of a prompt, a line each.
std::string texts_of(const Sample& sample);

// Those of several prompts, at most so many bytes of each.
std::string texts_of(const std::vector<std::shared_ptr<const Sample>>& samples, size_t bytes_of_each);

// Error: the server does not count, or finds no token.
Result<TextSurvey> survey(const ServerTokens& server, const std::string& text);

}  // namespace tokometer

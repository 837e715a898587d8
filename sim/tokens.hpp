// The simulator's tokenizer and its prompts' prefix cache. The rule, so that counts can be predicted: a token
// is a word (bytes between white space), or each started 16 bytes of a longer one. A chat prompt has 4 tokens
// more a message and 3 more in all (a chat template's share); token ids count one each. Pure functions but
// for the cache.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace tokometer::sim {

inline constexpr uint64_t kTokensPerMessage = 4, kTokensPerChat = 3;
inline constexpr int32_t kVocabulary = 128'000;

uint64_t count_tokens(std::string_view text);

// The pieces of the text, white space left out, and their ids (equal words, equal ids, 0 to kVocabulary - 1).
std::vector<std::string_view> split_tokens(std::string_view text);
int32_t token_id(std::string_view piece);

// The text of output token `index` of a choice: " r12t7" (choice 0), " r12c1t7". One word, so one token.
// Appends.
void append_token(std::string& out, uint32_t stream, uint32_t choice, uint64_t index);

// In decimal, appended.
void append_number(std::string& out, uint64_t number);

// Which prompts begin like earlier ones, in whole blocks of 16 tokens. The oldest blocks go when it is full.
class PrefixCache {
 public:
  explicit PrefixCache(uint64_t capacity_tokens) : capacity_(capacity_tokens / kBlock) {}
  // How many tokens at the prompt's start are known (never all of it); then all its blocks are. Prompts with
  // other salts share nothing.
  uint64_t look_up(const std::vector<int32_t>& prompt, std::string_view salt);
  void clear();

 private:
  static constexpr size_t kBlock = 16;
  uint64_t capacity_;
  std::unordered_set<uint64_t> known_;
  std::deque<uint64_t> order_;
};

}  // namespace tokometer::sim

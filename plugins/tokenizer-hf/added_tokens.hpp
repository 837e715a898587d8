// The section `added_tokens`: texts that are tokens wherever they stand, special or not, found before the
// model sees anything. Immutable once made; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "part.hpp"

namespace tokenizer_hf {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool single_word = false, takes_left = false, takes_right = false;  // the last two: blanks beside it
  bool normalized = false;  // is looked for in the normalized text, not in the text as it came
};

AddedToken read_added_token(const Part& json);

// A piece of a text: a token, or what is to be cut further.
struct Piece {
  std::string_view text;
  int32_t id = -1;  // -1: no token
};

// Finds the tokens of a set in a text: the leftmost, and of those that begin there the longest.
class TokenFinder {
 public:
  void add(AddedToken token);
  // All of the text, in order; no piece is empty.
  std::vector<Piece> cut(std::string_view text) const;

 private:
  const AddedToken* match(std::string_view rest) const;

  std::array<std::vector<AddedToken>, 256> by_first_byte_;  // each: the longest first
};

}  // namespace tokenizer_hf

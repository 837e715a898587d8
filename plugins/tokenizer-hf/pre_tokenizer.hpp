// The section `pre_tokenizer`: cuts a normalized text into the words that the model sees. Immutable once
// made; one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "part.hpp"

namespace tokenizer_hf {

struct Word {
  std::string text;
  bool at_start = false;  // of the whole input
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Adds what becomes of `word`.
  virtual void apply(Word word, std::vector<Word>& out) const = 0;
};

// Throws where a type is not known.
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Part& json);

// A byte as the character by which byte-level vocabularies write it.
const std::string& byte_letter(unsigned char byte);

}  // namespace tokenizer_hf

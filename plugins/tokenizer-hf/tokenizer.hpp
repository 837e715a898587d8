// A whole tokenizer.json: added tokens, normalizer, pre-tokenizer, model, and what stands around a prompt.
// Gives the ids that Hugging Face's library gives, but for `truncation` and `padding`, which are for batches
// of a model and not looked at. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "added_tokens.hpp"
#include "bpe.hpp"
#include "normalizer.hpp"
#include "part.hpp"
#include "pre_tokenizer.hpp"
#include "prompt_frame.hpp"

namespace tokenizer_hf {

class Tokenizer {
 public:
  // `json`: the whole file, needed here only. Throws tkm::Error with the place in the file.
  explicit Tokenizer(const Part& json);

  int64_t vocab_size() const { return int64_t{last_id_} + 1; }
  // Throws TKM_E_INPUT where the text is not UTF-8.
  std::vector<int32_t> encode(std::string_view text, bool as_prompt);

 private:
  void read_added_tokens(const Part& json);
  void encode_raw(std::string_view text, bool at_start, std::vector<int32_t>& ids);
  void encode_normalized(std::string_view text, bool at_start, std::vector<int32_t>& ids);

  Bpe model_;
  std::unique_ptr<Normalizer> normalizer_;       // null: none
  std::unique_ptr<PreTokenizer> pre_tokenizer_;  // null: none
  TokenFinder in_raw_, in_normalized_;
  PromptFrame frame_;
  int32_t last_id_;
  std::vector<Word> words_;
};

}  // namespace tokenizer_hf

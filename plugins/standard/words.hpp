// The words of synthetic prompts: common short English words, each of them one token (with a blank in front)
// in the vocabularies of Llama 2, Llama 3, Gemma 3, Qwen 3, gpt-oss and DeepSeek V3. So a text of n words has
// n tokens, and no tokenizer is needed. How they were chosen: docs/internals/standard-plugins.md. Static; any
// thread.
#pragma once

#include <string_view>
#include <vector>

namespace standard {

struct WordList {
  std::vector<std::string_view> first;  // one token also without a blank in front: they begin a text
  std::vector<std::string_view> all;
};

const WordList& word_list();

}  // namespace standard

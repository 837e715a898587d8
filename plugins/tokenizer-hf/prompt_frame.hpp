// The section `post_processor`: which ids stand around a prompt, such as a begin-of-text. Immutable; any
// thread.
#pragma once

#include <cstdint>
#include <vector>

#include "part.hpp"

namespace tokenizer_hf {

struct PromptFrame {
  std::vector<int32_t> before, after;
};

// Throws where a type is not known.
PromptFrame read_prompt_frame(const Part& json);

}  // namespace tokenizer_hf

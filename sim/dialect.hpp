// Which server's form a request is in, and what of it is that dialect's own. Plain values inside Generation.
#pragma once

namespace tokometer::sim {

enum class Dialect { openai, triton, nim_1 };

// What a request to Triton asked for beside the text.
struct Triton {
  bool input_tokens = false, output_tokens = false;  // num_input_tokens, num_output_tokens
  bool finish_reason = false;
  bool cumulative = false;  // the model gives the whole text so far in each response
};

}  // namespace tokometer::sim

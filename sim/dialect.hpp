// What a request in one server's form has that others have not. Plain values inside Generation.
#pragma once

namespace tokometer::sim {

// What a request to Triton asked for beside the text.
struct Triton {
  bool input_tokens = false, output_tokens = false;  // num_input_tokens, num_output_tokens
  bool finish_reason = false;
  bool cumulative = false;  // the model gives the whole text so far in each response
};

}  // namespace tokometer::sim

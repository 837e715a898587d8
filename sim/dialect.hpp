// What a request in one server's form has that others have not. Plain values inside Generation.
#pragma once

#include <string>

namespace tokometer::sim {

// How a gRPC call came.
struct GrpcCall {
  bool is_unary = false;           // ModelInfer and the like, no ModelStreamInfer
  bool wants_empty_final = false;  // triton_enable_empty_final_response
  std::string id = {};             // of the ModelInferRequest
};

// What a request to Triton asked for beside the text.
struct Triton {
  bool input_tokens = false, output_tokens = false;  // num_input_tokens, num_output_tokens
  bool finish_reason = false;
  bool final_apart = false;  // gRPC: the final flag comes in a response of its own
  bool cumulative = false;   // the model gives the whole text so far in each response
};

}  // namespace tokometer::sim

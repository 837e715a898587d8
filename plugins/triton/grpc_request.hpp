// Builds the ModelInferRequest of a prompt: the inputs that generate's JSON object would have, as tensors of
// the types and dimensions that the model's metadata tells. One a processor instance; it keeps its buffers.
#pragma once

#include <tokometer/abi.h>

#include <memory>
#include <string>
#include <string_view>

#include "request.hpp"
#include "tensors.hpp"

namespace triton {

namespace kserve {
class ModelInferRequest;
}

class GrpcRequest {
 public:
  // `tensors` must outlive this and may learn until the first build().
  explicit GrpcRequest(const Tensors& tensors);
  ~GrpcRequest();

  // The message; valid until the next call.
  const std::string& build(const tkm_prompt& prompt, std::string_view model);

 private:
  void add_input(std::string_view name, const tkm::Json& value);
  void add_parameters(const tkm::Json& object);

  const Tensors& tensors_;
  GenerateRequest generate_;
  std::unique_ptr<kserve::ModelInferRequest> request_;
  std::string bytes_;
};

}  // namespace triton

// The tensors of one model, learned from its metadata (GET /v2/models/M), and which of them carry what.
// Triton ignores a JSON key that is no input, so each name that a request has is looked up here first.
//
//   vllm     the vLLM backend: sampling_parameters is JSON inside a text
//   trt_llm  TensorRT-LLM ensembles and BLS: each parameter is a tensor
//   llm_api  TensorRT-LLM's LLM-API model: sampling_param_*; its text is cumulative
//
// Made once an instance; read by the I/O thread. Errors are tkm::Error.
#pragma once

#include <tokometer/json.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"

namespace triton {

struct Tensor {
  std::string name, datatype;  // BYTES, BOOL, INT32, FP32, ...
  size_t dimensions = 2;       // with the one of batches
};

class Tensors {
 public:
  enum class Family { trt_llm, vllm, llm_api };

  // As TensorRT-LLM has them, unchecked: until metadata is learned.
  Tensors() = default;
  // From metadata, checked: the prompt and the answer must be there, and all that the run file names.
  Tensors(std::string_view metadata, const TensorNames& given);

  Family family() const { return family_; }
  bool is_known() const { return is_known_; }
  const std::string& model() const { return model_; }
  // The names in use; empty: the model has no such tensor.
  const TensorNames& names() const { return names_; }
  bool has_input(std::string_view name) const { return input(name) != nullptr; }
  const Tensor* input(std::string_view name) const;  // null: none, or not known
  bool has_output(std::string_view name) const;
  // Throws unless `name` is an input that can hold `value`. `where`: of the run file.
  void check_input(std::string_view name, const tkm::Json& value, std::string_view where) const;
  std::string list_of_inputs() const;

 private:
  std::string first_input(std::initializer_list<std::string_view> candidates) const;
  void take(std::string& name, const std::string& given, std::string_view key,
            std::initializer_list<std::string_view> candidates, std::string_view kind);
  void take_output(const std::string& given);

  bool is_known_ = false;
  std::string model_;
  Family family_ = Family::trt_llm;
  std::vector<Tensor> inputs_, outputs_;
  TensorNames names_{.prompt = "text_input",
                     .max_tokens = "max_tokens",
                     .min_tokens = "min_tokens",
                     .stream = "stream",
                     .text = "text_output"};
};

}  // namespace triton

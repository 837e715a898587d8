// Builds the body of generate and generate_stream: a JSON object whose keys are the model's input tensors.
// What the prompt asks for and the model has no tensor for is an error. One a processor instance: it keeps
// its buffers and what it has checked of `sampling` and `extra`.
#pragma once

#include <tokometer/abi.h>

#include <string>
#include <string_view>
#include <vector>

#include "tensors.hpp"

namespace triton {

class GenerateRequest {
 public:
  // `tensors` must outlive this and may learn until the first build().
  explicit GenerateRequest(const Tensors& tensors) : tensors_(tensors) {}

  // The body; valid until the next call.
  const std::string& build(const tkm_prompt& prompt);
  // Can the model be asked for an exact length?
  static bool has_exact_output(const Tensors& tensors);
  // Of the component's capabilities, those that depend on the model.
  static bool has(const Tensors& tensors, std::string_view capability);

 private:
  // Members that come with every prompt and hardly ever change, checked and translated.
  struct Members {
    std::string source, text;  // text: of a JSON object
    std::vector<std::string> names = {};

    bool has(std::string_view name) const;
  };

  void write_length(const tkm_prompt& prompt, tkm::JsonWriter& json) const;
  void write_sampling_text(const tkm_prompt& prompt, tkm::JsonWriter& json);
  void write_switches(tkm::JsonWriter& json) const;
  std::string sampling_tensor(std::string_view name) const;
  void read_sampling(std::string_view source);
  void read_extra(std::string_view source);
  bool is_own(std::string_view name) const;

  const Tensors& tensors_;
  std::string body_, inner_;
  Members sampling_, extra_;
};

}  // namespace triton

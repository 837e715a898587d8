// Triton's dialect: generate and generate_stream of KServe v2, with the tensors of a TensorRT-LLM, a vLLM or
// an LLM-API model, and the pages around them. Requests are checked as Triton checks them: a scalar key that
// is no tensor is ignored, a wrong type is a 500. Requests and pages are pure; a TritonWriter belongs to its
// request.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "sim/events.hpp"
#include "sim/generation.hpp"
#include "sim/pages.hpp"

namespace tokometer::sim {

// Is this path Triton's ("/v2/...")?
bool is_triton(std::string_view target);
bool is_triton_generation(const Request& request);

std::variant<Generation, ErrorReply> read_triton_generation(const Request& request, const Options& options,
                                                            bool wants_ids, uint32_t serial);

struct TritonTensor {
  const char *name, *datatype;
  int dimensions;  // 2: with a batch dimension before
};
struct TritonTensors {
  std::span<const TritonTensor> inputs, outputs;
};
TritonTensors triton_tensors(const Options& options);

// {"error":"..."}
std::string triton_error_json(std::string_view message);

Page make_triton_page(const Request& request, const PageState& state);

class TritonWriter final : public EventWriter {
 public:
  TritonWriter(const Generation& generation, ChunkBuffer& buffer);

  Event role(uint32_t choice, const Usage& usage) override;
  Event token(const Token& token, const Usage& usage, std::string& text) override;
  Event finish(uint32_t choice, const char* reason, const Usage& usage) override;
  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override;
  Event usage(const Usage&) override { return {}; }
  std::string_view error_form(const Fault& fault) const override;
  int first_error_status() const override { return 400; }

 private:
  void open(std::string& out, const Usage& usage, uint64_t tokens, const char* reason) const;

  std::string names_;   // "model_name" and "model_version"
  std::string so_far_;  // of a cumulative text
};

}  // namespace tokometer::sim

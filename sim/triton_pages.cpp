#include <span>
#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "sim/triton.hpp"

namespace tokometer::sim {
namespace {

// With a batch dimension, but for the vLLM backend.
using Tensor = TritonTensor;
constexpr Tensor kTrtLlmInputs[] = {{"text_input", "BYTES", 2},
                                    {"max_tokens", "INT32", 2},
                                    {"min_tokens", "INT32", 2},
                                    {"stream", "BOOL", 2},
                                    {"bad_words", "BYTES", 2},
                                    {"stop_words", "BYTES", 2},
                                    {"end_id", "INT32", 2},
                                    {"temperature", "FP32", 2},
                                    {"top_p", "FP32", 2},
                                    {"top_k", "INT32", 2},
                                    {"seed", "UINT64", 2},
                                    {"return_num_input_tokens", "BOOL", 2},
                                    {"return_num_output_tokens", "BOOL", 2}};
constexpr Tensor kTrtLlmOutputs[] = {
    {"text_output", "BYTES", 2}, {"num_input_tokens", "INT32", 2}, {"num_output_tokens", "INT32", 2}};
constexpr Tensor kVllmInputs[] = {{"text_input", "BYTES", 1},
                                  {"stream", "BOOL", 1},
                                  {"sampling_parameters", "BYTES", 1},
                                  {"exclude_input_in_output", "BOOL", 1},
                                  {"return_finish_reason", "BOOL", 1},
                                  {"return_num_input_tokens", "BOOL", 1},
                                  {"return_num_output_tokens", "BOOL", 1}};
constexpr Tensor kVllmOutputs[] = {{"text_output", "BYTES", 1},
                                   {"finish_reason", "BYTES", 1},
                                   {"num_input_tokens", "UINT32", 1},
                                   {"num_output_tokens", "UINT32", 1}};
constexpr Tensor kLlmApiInputs[] = {{"text_input", "BYTES", 1},
                                    {"streaming", "BOOL", 1},
                                    {"sampling_param_max_tokens", "INT32", 1},
                                    {"sampling_param_temperature", "FP32", 1},
                                    {"sampling_param_exclude_input_from_output", "BOOL", 1},
                                    {"return_finish_reason", "BOOL", 1}};
constexpr Tensor kLlmApiOutputs[] = {{"text_output", "BYTES", 1}, {"finish_reason", "BYTES", 1}};

Page json_page(std::string body, int status = 200) {
  return {.status = status, .media_type = "application/json", .body = std::move(body)};
}

void write_tensors(tkm::JsonWriter& json, const char* key, std::span<const Tensor> tensors) {
  json.key(key).begin_array();
  for (const Tensor& tensor : tensors) {
    json.begin_object()
        .member("name", tensor.name)
        .member("datatype", tensor.datatype)
        .key("shape")
        .begin_array();
    if (tensor.dimensions > 1) json.value(-1);
    json.value(1).end_array().end_object();
  }
  json.end_array();
}

Page metadata(const Options& options) {
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_object().member("name", options.model).key("versions").begin_array().value("1").end_array();
  json.member("platform", "python");
  const TritonTensors tensors = triton_tensors(options);
  write_tensors(json, "inputs", tensors.inputs), write_tensors(json, "outputs", tensors.outputs);
  json.end_object();
  return json_page(std::move(body));
}

Page index(const PageState& state) {
  std::string body;
  tkm::JsonWriter json(body);
  json.begin_array().begin_object().member("name", state.options.model).member("version", "1");
  json.member("state", state.starting ? "LOADING" : "READY").end_object().end_array();
  return json_page(std::move(body));
}

Page of_model(std::string_view rest, const PageState& state) {
  const std::string_view name = rest.substr(0, rest.find('/'));
  const bool is_known = name == state.options.model;
  if (rest.ends_with("/ready")) {
    if (is_known && !state.starting) return {};
    return {.status = 400, .media_type = "text/plain", .body = triton_error_json("Model version not ready")};
  }
  if (is_known && rest == name) return metadata(state.options);
  return json_page(
      triton_error_json("Request for unknown model: '" + escape_terminal(name) + "' is not found"), 404);
}

}  // namespace

TritonTensors triton_tensors(const Options& options) {
  if (options.triton_tensors == "vllm") return {kVllmInputs, kVllmOutputs};
  if (options.triton_tensors == "llm_api") return {kLlmApiInputs, kLlmApiOutputs};
  return {kTrtLlmInputs, kTrtLlmOutputs};
}

std::string triton_error_json(std::string_view message) {
  std::string text;
  tkm::JsonWriter(text).begin_object().member("error", message).end_object();
  return text;
}

Page make_triton_page(const Request& request, const PageState& state) {
  constexpr std::string_view kModels = "/v2/models/";
  const std::string_view path = request.target;
  const bool is_get = request.method == "GET";
  if (path == "/v2/repository/index")
    return is_get ? json_page(triton_error_json("Method Not Allowed"), 405) : index(state);
  if (!is_get) return json_page(triton_error_json("Method Not Allowed"), 405);
  if (path == "/v2/health/live") return {};
  if (path == "/v2/health/ready") return {.status = state.starting ? 400 : 200};
  if (path == "/v2")
    return json_page(R"({"name":"triton","version":"2.73.0+sim","extensions":["generate"]})");
  if (path.starts_with(kModels)) return of_model(path.substr(kModels.size()), state);
  return {.status = 404, .media_type = "text/plain", .body = triton_error_json("Not Found")};
}

}  // namespace tokometer::sim

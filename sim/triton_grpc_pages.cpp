#include <span>

#include "base/text.hpp"
#include "sim/protobuf.hpp"
#include "sim/triton.hpp"
#include "sim/triton_grpc.hpp"

namespace tokometer::sim {
namespace {

void put_tensors(std::string& out, uint32_t field, std::span<const TritonTensor> tensors) {
  for (const TritonTensor& tensor : tensors) {
    std::string one, shape;
    put_text(one, 1, tensor.name);
    put_text(one, 2, tensor.datatype);
    if (tensor.dimensions > 1) put_varint(shape, static_cast<uint64_t>(-1));
    put_varint(shape, 1);
    put_text(one, 3, shape);
    put_text(out, field, one);
  }
}

std::string metadata(const Options& options) {
  const TritonTensors tensors = triton_tensors(options);
  std::string out;
  put_text(out, 1, options.model);
  put_text(out, 2, "1");
  put_text(out, 3, "python");
  put_tensors(out, 4, tensors.inputs);
  put_tensors(out, 5, tensors.outputs);
  return out;
}

// model_transaction_policy is 19 of the configuration.
std::string configuration(const Options& options) {
  std::string policy, config, out;
  put_number(policy, 1, options.triton_one_response ? 0 : 1);
  put_text(config, 1, options.model);
  put_text(config, 19, policy);
  put_text(out, 1, config);
  return out;
}

std::string index(const PageState& state) {
  std::string model, out;
  put_text(model, 1, state.options.model);
  put_text(model, 2, "1");
  put_text(model, 3, state.starting ? "LOADING" : "READY");
  put_text(out, 1, model);
  return out;
}

std::string is_so(bool value) {
  std::string out;
  if (value) put_number(out, 1, 1);
  return out;
}

}  // namespace

GrpcPage make_triton_grpc_page(std::string_view method, std::string_view message, const PageState& state) {
  std::string_view model;
  ProtobufReader reader(message);
  while (reader.next()) {
    if (reader.field() == 1) model = reader.text();
  }
  const bool is_known = model == state.options.model;
  if (method == "ServerLive") return {.body = is_so(true)};
  if (method == "ServerReady") return {.body = is_so(!state.starting)};
  if (method == "ModelReady") return {.body = is_so(is_known && !state.starting)};
  if (method == "RepositoryIndex") return {.body = index(state)};
  if (method == "ServerMetadata") {
    GrpcPage page;
    put_text(page.body, 1, "triton");
    put_text(page.body, 2, "2.73.0+sim");
    return page;
  }
  if (method != "ModelMetadata" && method != "ModelConfig") return {.code = 12, .body = ""};
  if (!is_known)
    return {.code = 5, .body = "Request for unknown model: '" + escape_terminal(model) + "' is not found"};
  return {.body = method == "ModelMetadata" ? metadata(state.options) : configuration(state.options)};
}

}  // namespace tokometer::sim

#include "grpc_request.hpp"

#include <tokometer/plugin.hpp>

#include <cstring>
#include <utility>

#include "kserve.pb.h"

namespace triton {
namespace {

using tkm::Json;

void append_little_endian(uint64_t number, size_t bytes, std::string& raw) {
  for (size_t i = 0; i < bytes; ++i, number >>= 8U) raw += static_cast<char>(number & 0xffU);
}

// "INT32" has 4.
size_t bytes_of(std::string_view datatype) {
  if (datatype.ends_with("64")) return 8;
  if (datatype.ends_with("32")) return 4;
  return datatype.ends_with("16") ? 2 : 1;
}

uint64_t bits_of(const Json& value, std::string_view datatype) {
  if (datatype == "BOOL") return value.IsTrue() ? 1 : 0;
  if (datatype == "FP64") {
    const double number = value.GetDouble();
    uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
  }
  if (datatype == "FP32") {
    const auto number = static_cast<float>(value.GetDouble());
    uint32_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
  }
  return value.IsInt64() ? static_cast<uint64_t>(value.GetInt64()) : value.GetUint64();
}

void append_element(const Json& value, std::string_view name, std::string_view datatype, std::string& raw) {
  if (datatype == "BYTES") {
    const std::string_view text = tkm::text_of(value);
    append_little_endian(text.size(), 4, raw);
    raw += text;
    return;
  }
  if (datatype == "FP16" || datatype == "BF16")
    throw tkm::unsupported("the input \"" + std::string(name) + "\" is " + std::string(datatype) +
                           ", which this processor does not write");
  append_little_endian(bits_of(value, datatype), bytes_of(datatype), raw);
}

// Where there was no metadata.
std::string_view likely_datatype(const Json& value) {
  const Json& one = value.IsArray() && !value.Empty() ? value[0] : value;
  if (one.IsString()) return "BYTES";
  if (one.IsBool()) return "BOOL";
  return one.IsInt64() || one.IsUint64() ? "INT32" : "FP32";
}

}  // namespace

GrpcRequest::GrpcRequest(const Tensors& tensors)
    : tensors_(tensors), generate_(tensors), request_(std::make_unique<kserve::ModelInferRequest>()) {}
GrpcRequest::~GrpcRequest() = default;

const std::string& GrpcRequest::build(const tkm_prompt& prompt, std::string_view model) {
  tkm::JsonDocument root;
  tkm::parse_json(generate_.build(prompt), root);
  request_->Clear();
  request_->set_model_name(model.data(), model.size());
  request_->set_id(prompt.request_name.data, prompt.request_name.size);
  for (const auto& member : std::as_const(root).GetObject()) {
    if (member.name == "parameters" && member.value.IsObject()) {
      add_parameters(member.value);
    } else {
      add_input(tkm::text_of(member.name), member.value);
    }
  }
  if (prompt.reply == TKM_REPLY_STREAM) {  // else the end might not be told
    kserve::NamedParameter& parameter = *request_->add_parameters();
    parameter.set_key("triton_enable_empty_final_response");
    parameter.mutable_value()->set_bool_param(true);
  }
  bytes_.clear();
  request_->SerializeToString(&bytes_);
  return bytes_;
}

void GrpcRequest::add_input(std::string_view name, const Json& value) {
  const Tensor* known = tensors_.input(name);
  const std::string_view datatype =
      known != nullptr ? std::string_view(known->datatype) : likely_datatype(value);
  const size_t dimensions = known != nullptr ? known->dimensions : 2;
  kserve::Tensor& input = *request_->add_inputs();
  input.set_name(name.data(), name.size());
  input.set_datatype(datatype.data(), datatype.size());
  for (size_t i = 1; i < dimensions; ++i) input.add_shape(1);
  if (dimensions > 0) input.add_shape(value.IsArray() ? static_cast<int64_t>(value.Size()) : 1);
  std::string& raw = *request_->add_raw_input_contents();
  if (!value.IsArray()) return append_element(value, name, datatype, raw);
  for (const Json& item : value.GetArray()) append_element(item, name, datatype, raw);
}

void GrpcRequest::add_parameters(const Json& object) {
  for (const auto& member : object.GetObject()) {
    kserve::NamedParameter& parameter = *request_->add_parameters();
    const std::string_view name = tkm::text_of(member.name), text = tkm::text_of(member.value);
    parameter.set_key(name.data(), name.size());
    kserve::Parameter& value = *parameter.mutable_value();
    if (member.value.IsBool()) {
      value.set_bool_param(member.value.IsTrue());
    } else if (member.value.IsInt64()) {
      value.set_int64_param(member.value.GetInt64());
    } else if (member.value.IsNumber()) {
      value.set_double_param(member.value.GetDouble());
    } else if (member.value.IsString()) {
      value.set_string_param(text.data(), text.size());
    } else {
      throw tkm::input_error("extra sets the parameter \"" + std::string(name) +
                             "\", which must be a number, a text, true or false");
    }
  }
}

}  // namespace triton

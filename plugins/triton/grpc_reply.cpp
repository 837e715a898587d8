#include "grpc_reply.hpp"

#include <algorithm>

#include "kserve.pb.h"

namespace triton {
namespace {

using tkm::Complaints;
using tkm::Events;

uint64_t little_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) number = number << 8U | static_cast<unsigned char>(bytes[i - 1]);
  return number;
}

// The one element of a BYTES tensor; an empty tensor is empty text.
bool read_text(std::string_view raw, std::string_view& text) {
  if (raw.empty()) return true;
  if (raw.size() < 4 || little_endian(raw.substr(0, 4)) != raw.size() - 4) return false;
  text = raw.substr(4);
  return true;
}

// The one element of an integer tensor; -1: not one.
int64_t read_count(std::string_view raw) {
  const bool is_one = raw.size() == 4 || raw.size() == 8;
  const uint64_t number = is_one ? little_endian(raw) : ~uint64_t{0};
  return number <= INT32_MAX ? static_cast<int64_t>(number) : -1;
}

// Null: the response does not say.
const kserve::Parameter* final_flag(const kserve::ModelInferResponse& response) {
  for (const auto& parameter : response.parameters()) {
    if (parameter.key() == "triton_final_response") return &parameter.value();
  }
  return nullptr;
}

}  // namespace

GrpcReply::Shared::Shared() : message(std::make_unique<kserve::ModelStreamInferResponse>()) {}
GrpcReply::Shared::~Shared() = default;

GrpcReply::GrpcReply(Shared& shared, std::string_view model, bool is_stream_call)
    : shared_(shared), is_stream_call_(is_stream_call) {
  auto found = shared.models.find(model);
  if (found == shared.models.end()) found = shared.models.emplace(model).first;
  model_ = &*found;
}

void GrpcReply::data(std::string_view bytes, Events& events) {
  if (complaints_.has_failed() || is_over_) return;  // a model may go on after its error
  kserve::ModelStreamInferResponse& message = *shared_.message;
  const int size = static_cast<int>(bytes.size());
  bool is_read = false;
  if (is_stream_call_) {
    is_read = message.ParseFromArray(bytes.data(), size);
  } else {
    message.Clear();
    is_read = message.mutable_infer_response()->ParseFromArray(bytes.data(), size);
  }
  if (!is_read) return complaints_.fail(TKM_FAIL_FORMAT, "not a message of KServe that can be read", events);
  const kserve::Parameter* flag = final_flag(message.infer_response());
  if (!message.error_message().empty()) return failed(message.error_message(), flag != nullptr, events);
  response(message.infer_response(), events);
  const bool is_final = is_stream_call_ && flag != nullptr && flag->bool_param();  // else the status tells
  if (complaints_.has_failed() || !is_final) return;
  is_over_ = true;
  outputs_.end(events);
}

void GrpcReply::failed(std::string_view message, bool has_flag, Events& events) {
  using tkm::fault_detail::contains_word;
  const bool is_rejected =
      contains_word(message, "exceeds maximum queue size") || contains_word(message, "overloaded");
  const int32_t kind = is_rejected ? TKM_FAIL_REJECTED : has_flag ? TKM_FAIL_IN_BAND : TKM_FAIL_REQUEST;
  complaints_.fail(tkm::ServerFault{.kind = kind, .code = -1, .message = message}, events);
}

void GrpcReply::response(const kserve::ModelInferResponse& response, Events& events) {
  if (!response.model_name().empty() && !model_->empty() && response.model_name() != *model_)
    complaints_.warn(Complaints::kWrongModel, response.model_name(), events);
  if (response.outputs_size() != response.raw_output_contents_size()) {
    return complaints_.fail(TKM_FAIL_SEMANTICS, "the response has not one raw content for each output",
                            events);
  }
  if (response.outputs_size() == 0 && final_flag(response) != nullptr && final_flag(response)->bool_param())
    return;
  Outputs::Response out;
  for (int i = 0; i < response.outputs_size(); ++i) {
    const kserve::Tensor& tensor = response.outputs(i);
    if (!take_output(tensor.name(), tensor.datatype(), response.raw_output_contents(i), out, events)) return;
  }
  outputs_.take(out, shared_.is_cumulative, complaints_, events);
}

// False: a fault was told.
bool GrpcReply::take_output(std::string_view name, std::string_view datatype, std::string_view raw,
                            Outputs::Response& out, Events& events) {
  if (name == "num_output_tokens") out.tokens = read_count(raw);
  if (name == "num_input_tokens") out.prompt_tokens = read_count(raw);
  if (name == "finish_reason") return read_text(raw, out.reason), true;
  if (name != shared_.text_tensor) return true;
  if (datatype != "BYTES" || !read_text(raw, out.text)) {
    complaints_.fail(TKM_FAIL_SEMANTICS, "the output \"" + shared_.text_tensor + "\" is not one text",
                     events);
    return false;
  }
  if (tkm::invalid_utf8_at(out.text) != out.text.npos)
    complaints_.warn(Complaints::kBadUtf8, "text that is not valid UTF-8", events);
  return true;
}

void GrpcReply::end(const tkm_end& end, Events& events) {
  if (complaints_.has_failed() || is_over_ || end.grpc_status != 0) return;
  is_over_ = true;
  outputs_.end(events);
}

}  // namespace triton

#include "grpc.hpp"

#include <tokometer/json.hpp>

#include <array>

#include "kserve.pb.h"
#include "telemetry.hpp"

namespace triton {
namespace {

constexpr std::string_view kService = "/inference.GRPCInferenceService/";
constexpr std::array kCapabilities{"proto.grpc", "reply.whole", "reply.stream", "output.exact",
                                   "form.chat",  "form.text",   "route.model",  "count.server"};
constexpr int32_t kNotFound = 5, kPermissionDenied = 7, kUnauthenticated = 16;

// expect_base64: the ServerReadyResponse {ready: true}. 7 and 16 pass: the metadata says what is wrong with
// the key.
constexpr auto kMembers = R"(
"ports":{"grpc":8001,"metrics":8002},
"ready":[{"grpc":"/inference.GRPCInferenceService/ServerReady","status":[0,7,16],"expect_base64":"CAE="}])";

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = i; k < i + 3; ++k)
      group = group << 8U | (k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0U);
    for (unsigned shift = 24; shift > 0;) out += kLetters[group >> (shift -= 6) & 63U];
    for (size_t k = bytes.size(); k < i + 3; ++k) out[out.size() - (i + 3 - k)] = '=';
  }
  return out;
}

// As GET /v2/models/M has it.
template <class Response>
std::string json_of(const Response& metadata) {
  std::string text;
  tkm::JsonWriter json(text);
  const auto list = [&](const char* key, const auto& tensors) {
    json.key(key).begin_array();
    for (const kserve::Tensor& tensor : tensors) {
      json.begin_object().member("name", tensor.name()).member("datatype", tensor.datatype());
      json.key("shape").begin_array();
      for (const int64_t size : tensor.shape()) json.value(size);
      json.end_array().end_object();
    }
    json.end_array();
  };
  json.begin_object().member("name", metadata.name());
  list("inputs", metadata.inputs());
  list("outputs", metadata.outputs());
  json.end_object();
  return text;
}

template <class Message>
bool read(std::string_view body, Message& message) {
  return message.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

}  // namespace

Grpc::Grpc(const Options& options, std::string_view model)
    : options_(options), model_(model), request_(tensors_) {
  if (!options.tensors.text.empty()) shared_.text_tensor = options.tensors.text;
  shared_.is_cumulative = options.accumulate == "yes";
}

std::string Grpc::describe() const {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("profile", 1).key("features").begin_array();
  for (const std::string_view capability : kCapabilities) {
    if (GenerateRequest::has(tensors_, capability)) json.value(capability);
  }
  json.end_array().key("discover").begin_array();
  const auto probe = [&](const char* id, const std::string& method, const std::string& body) {
    json.begin_object().member("id", id).member("grpc", std::string(kService) + method);
    json.member("body_base64", base64(body)).member("optional", true).end_object();
  };
  probe("index", "RepositoryIndex", {});
  if (!model_.empty()) {
    kserve::ModelRequest request;
    request.set_name(model_);
    probe("metadata", "ModelMetadata", request.SerializeAsString());
    probe("config", "ModelConfig", request.SerializeAsString());
  }
  json.end_array();
  if (!models_.empty()) {
    json.key("models").begin_object().key("listed").begin_array();
    for (const std::string& model : models_) json.value(model);
    json.end_array().end_object();
  }
  json.raw(kMembers).raw(kTelemetry).end_object();
  return text;
}

void Grpc::learn(const tkm_answer& answer) {
  const std::string_view probe = tkm::view(answer.probe), body = tkm::view(answer.body);
  kserve::ModelConfigResponse config;
  if (probe == "index" && answer.status == 0) learn_models(body);
  if (probe == "metadata") learn_metadata(answer);
  if (probe == "config" && answer.status == 0 && read(body, config))
    is_decoupled_ = config.config().model_transaction_policy().decoupled();
}

void Grpc::learn_models(std::string_view body) {
  kserve::RepositoryIndexResponse index;
  if (!read(body, index)) return;
  for (const kserve::ModelIndex& model : index.models()) {
    if (model.state() == "READY") models_.push_back(model.name());
  }
  if (model_.empty() && models_.size() == 1) model_ = models_.front();
}

void Grpc::learn_metadata(const tkm_answer& answer) {
  const std::string_view body = tkm::view(answer.body);
  if (answer.status == kNotFound) {
    std::string listed;
    for (const std::string& model : models_) listed += (listed.empty() ? ". It lists: " : ", ") + model;
    throw tkm::config_error("the server has no model \"" + model_ + "\"" + listed);
  }
  if (answer.status == kUnauthenticated || answer.status == kPermissionDenied) {
    throw tkm::config_error("the target answered " + std::to_string(answer.status) + " to ModelMetadata: " +
                            std::string(body.substr(0, 200)) + "; check target.api_key");
  }
  kserve::ModelMetadataResponse metadata;
  const bool is_read = answer.status == 0 && read(body, metadata);
  unread_.clear();
  if (!is_read) {
    unread_ = "the tensors of the model \"" + model_ + "\" are not known: ModelMetadata " +
              (answer.status < 0 ? "was not answered" : "gave " + std::to_string(answer.status));
    return;
  }
  tensors_ = Tensors(json_of(metadata), options_.tensors);
  shared_.text_tensor = tensors_.names().text;
  if (options_.accumulate == "auto") shared_.is_cumulative = tensors_.family() == Tensors::Family::llm_api;
}

void Grpc::encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
  if (!unread_.empty()) throw tkm::unsupported(unread_);
  const std::string& message = request_.build(prompt, model_of(prompt));
  out.grpc(std::string(kService) + (is_stream_call(prompt) ? "ModelStreamInfer" : "ModelInfer"));
  out.body(message);
}

}  // namespace triton

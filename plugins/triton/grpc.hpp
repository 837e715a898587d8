// KServe v2 over gRPC: ModelStreamInfer, or ModelInfer for whole answers of a model that is not decoupled.
// What the server says of itself is protobuf, too: tensors from ModelMetadata, decoupled from ModelConfig.
// One a processor instance.
#pragma once

#include <tokometer/plugin.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "grpc_reply.hpp"
#include "grpc_request.hpp"
#include "options.hpp"
#include "tensors.hpp"

namespace triton {

class Grpc {
 public:
  Grpc(const Options& options, std::string_view model);
  Grpc(const Grpc&) = delete;  // request_ refers to tensors_
  Grpc& operator=(const Grpc&) = delete;

  std::string describe() const;
  void learn(const tkm_answer& answer);
  void encode(const tkm_prompt& prompt, tkm::RequestOut& out);
  GrpcReply open(const tkm_prompt& prompt) { return {shared_, model_of(prompt), is_stream_call(prompt)}; }

 private:
  std::string_view model_of(const tkm_prompt& prompt) const {
    return prompt.model.size > 0 ? tkm::view(prompt.model) : std::string_view(model_);
  }
  bool is_stream_call(const tkm_prompt& prompt) const {
    return prompt.reply == TKM_REPLY_STREAM || is_decoupled_;
  }
  void learn_models(std::string_view body);
  void learn_metadata(const tkm_answer& answer);

  Options options_;
  std::string model_;                // empty: not known yet
  std::vector<std::string> models_;  // that the server has ready
  std::string unread_;               // why the metadata could not be read
  bool is_decoupled_ = true;
  Tensors tensors_;
  GrpcRequest request_;
  GrpcReply::Shared shared_;
};

}  // namespace triton

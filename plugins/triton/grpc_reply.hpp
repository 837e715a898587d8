// One answer over gRPC: the messages of a ModelStreamInfer call, or the one of ModelInfer.
//
//   end     triton_final_response, on the last token or in an empty response of its own; else the status OK
//   faults  error_message, with the flag where the model failed, without where Triton refused the request
//
// What open() returns; refers to the Shared of its instance.
#pragma once

#include <tokometer/openai/complaints.hpp>
#include <tokometer/plugin.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "outputs.hpp"

namespace triton {

namespace kserve {
class ModelInferResponse;
class ModelStreamInferResponse;
}  // namespace kserve

class GrpcReply {
 public:
  // Of all replies of an instance; one I/O thread uses it.
  struct Shared {
    Shared();
    ~Shared();
    std::unique_ptr<kserve::ModelStreamInferResponse> message;  // kept for its memory
    std::set<std::string, std::less<>> models;                  // that were asked for; stable
    std::string text_tensor = "text_output";
    bool is_cumulative = false;
  };

  GrpcReply(Shared& shared, std::string_view model, bool is_stream_call);

  tkm_status head(const tkm_head&, tkm::Events&) { return TKM_OK; }
  void data(std::string_view bytes, tkm::Events& events);
  void end(const tkm_end& end, tkm::Events& events);

 private:
  void failed(std::string_view message, bool has_flag, tkm::Events& events);
  void response(const kserve::ModelInferResponse& response, tkm::Events& events);
  bool take_output(std::string_view name, std::string_view datatype, std::string_view raw,
                   Outputs::Response& out, tkm::Events& events);

  Shared& shared_;
  const std::string* model_;
  Outputs outputs_;
  tkm::Complaints complaints_;
  bool is_stream_call_, is_over_ = false;
};

}  // namespace triton

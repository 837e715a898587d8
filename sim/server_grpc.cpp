// gRPC calls: a method of Triton's service, or a generation in gRPC's form.
#include <tokometer/json.hpp>

#include "sim/server.hpp"
#include "sim/triton_grpc.hpp"

namespace tokometer::sim {
namespace {

int grpc_code(int http_status) {
  switch (http_status) {
    case 400:
      return 3;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 5;
    case 429:
      return 8;
    case 500:
      return 13;
    case 501:
      return 12;
    case 503:
      return 14;
    default:
      return 2;
  }
}

std::string message_of(const Page& page) {
  tkm::JsonDocument root;
  if (!tkm::parse_json(page.body, root) || !root.IsObject()) return {};
  return std::string(tkm::get_string(root, "error"));
}

}  // namespace

void Server::answer_grpc(uint32_t slot, const Request& request) {
  Connection& connection = *slots_[slot];
  const std::string_view path = request.target;
  const auto refuse_call = [&](int code, std::string_view message) {
    connection.send(grpc_refusal(code, message));
    end_of_reply(slot);
  };
  std::string_view message;
  if (!path.starts_with(kGrpcService)) return refuse_call(12, "");
  if (!options_.api_key.empty() && request.field("authorization") != "Bearer " + options_.api_key)
    return refuse_call(16, "Unauthorized");
  if (!read_grpc_message(request.body, message))
    return refuse_call(13, "a call takes one message, not compressed");
  const std::string_view method = path.substr(kGrpcService.size());
  if (method != "ModelInfer" && method != "ModelStreamInfer") {
    const GrpcPage page = make_triton_grpc_page(
        method, message, {options_, books_.metrics, gauges(), is_starting(clock_.now_ns())});
    if (page.code != 0) return refuse_call(page.code, page.body);
    connection.send(grpc_reply(grpc_message(page.body)));
    return end_of_reply(slot);
  }
  GrpcCall call{.is_unary = method == "ModelInfer"};
  if (call.is_unary && !options_.triton_one_response)
    return refuse_call(12, "ModelInfer RPC doesn't support models with decoupled transaction policy");
  auto read = read_triton_call(request, message, options_, call);
  if (const auto* http = std::get_if<Request>(&read)) return answer_generation(slot, *http);
  const ErrorReply& error = std::get<ErrorReply>(read);
  if (call.is_unary) return refuse_call(grpc_code(error.status), error.message);
  connection.send(grpc_reply(grpc_message(triton_grpc_error(call, error.message))));
  end_of_reply(slot);
}

// A page that is no JSON stands for a proxy's and is sent as it is.
void Server::send_grpc_page(uint32_t slot, const Request& request, const Page& page) {
  Connection& connection = *slots_[slot];
  if (page.media_type != "application/json") {
    connection.send(whole_response(page.status, page.media_type, page.body, page.fields));
  } else if (page.is_response && !request.grpc->is_unary) {
    connection.send(grpc_reply(grpc_message(triton_grpc_error(*request.grpc, message_of(page)))));
  } else {
    connection.send(grpc_refusal(grpc_code(page.status), message_of(page)));
  }
  end_of_reply(slot);
}

}  // namespace tokometer::sim

// Triton over gRPC: KServe v2's service. A ModelInferRequest becomes the request that generate would have
// got, so that text, tokens, timing and truth are the same over both; what leaves is written as HTTP/1.1
// text with trailers, as all replies are (see http2.hpp). Requests and pages are pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "sim/events.hpp"
#include "sim/http.hpp"
#include "sim/pages.hpp"

namespace tokometer::sim {

inline constexpr std::string_view kGrpcService = "/inference.GRPCInferenceService/";

bool is_grpc(const Request& request);

// The one message of the body; false: not exactly one, or compressed.
bool read_grpc_message(std::string_view body, std::string_view& message);
std::string grpc_message(std::string_view message);  // with its prefix
// A whole reply with one message; its end; a reply that is nothing but an end.
std::string grpc_reply(std::string_view framed, bool has_trailers = true);
std::string grpc_trailers(int code, std::string_view message = {});  // and the chunk of size 0
std::string grpc_refusal(int code, std::string_view message);
std::string grpc_bad_message(FaultKind kind);  // as a chunk; else: one that is no protobuf

// For each input: "text_input BYTES [1,1] raw" becomes a member of generate's JSON. An ErrorReply is what
// Triton says before its backend sees the request.
std::variant<Request, ErrorReply> read_triton_call(const Request& request, std::string_view message,
                                                   const Options& options, GrpcCall& call);

// A ModelStreamInferResponse with an error, as those of refused requests are: an id and nothing else.
std::string triton_grpc_error(const GrpcCall& call, std::string_view message);

// The other methods. code: of gRPC; its message is then in body.
struct GrpcPage {
  int code = 0;
  std::string body = {};
};
GrpcPage make_triton_grpc_page(std::string_view method, std::string_view message, const PageState& state);

std::unique_ptr<EventWriter> make_triton_grpc_events(const Generation& generation, ChunkBuffer& buffer);

}  // namespace tokometer::sim

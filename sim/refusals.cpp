#include "sim/refusals.hpp"

#include <tokometer/json.hpp>

#include "sim/events.hpp"
#include "sim/native_bodies.hpp"

namespace tokometer::sim {
namespace {

constexpr std::string_view kDone = "data: [DONE]\n\n";

Page json_page(int status, std::string body) {
  return {.status = status, .media_type = "application/json", .body = std::move(body)};
}

Page stream_page(const std::string& json, bool has_done_mark) {
  return {.media_type = "text/event-stream",
          .body = "data: " + json + "\n\n" + std::string(has_done_mark ? kDone : "")};
}

bool is_overload(int status) {
  return status == 429 || status == 503;
}

// Values are checked in the stream; an OpenAI route refuses them before it.
Page sglang_refusal(bool is_native, const ErrorReply& error) {
  const bool is_full = is_overload(error.status);
  const std::string message = quoted(is_full ? "The request queue is full." : error.message);
  const std::string code = std::to_string(is_full ? 503 : error.status);
  if (is_native && is_full && error.stream) {
    return stream_page(
        R"({"text":"","output_ids":[],"meta_info":{"id":"refused","finish_reason":{"type":"abort",)"
        R"("status_code":503,"message":)" +
            message + R"(},"completion_tokens":0}})",
        true);
  }
  if (is_native && error.stream)
    return stream_page(R"({"error":{"message":)" + message + R"(,"type":"invalid_request_error","code":)" +
                           code + R"(,"retryable":false}})",
                       true);
  if (is_full && error.stream)
    return stream_page(R"({"error": {"object": "error", "message": )" + message +
                           R"(, "type": "SERVICE_UNAVAILABLE", "param": null, "code": 503}})",
                       true);
  if (is_native && !is_full) return json_page(error.status, R"({"error":{"message":)" + message + "}}");
  return json_page(is_full ? 503 : error.status, R"({"object":"error","message":)" + message + R"(,"type":)" +
                                                     quoted(is_full ? "503" : error.type) +
                                                     R"(,"param":null,"code":)" + code + "}");
}

// In a chat's or completion's stream the code is 422 whatever it is.
Page tgi_refusal(bool is_native, const ErrorReply& error) {
  const bool is_full = is_overload(error.status);
  const std::string message =
      quoted(is_full ? "Model is overloaded" : "Input validation error: " + error.message);
  const std::string type = is_full ? "overloaded" : "validation";
  const std::string flat = R"({"error":)" + message + R"(,"error_type":")" + type + "\"}";
  if (!error.stream) return json_page(is_full ? 429 : 422, flat);
  if (is_native) return stream_page(flat, false);
  return stream_page(R"({"error":{"message":)" + message + R"(,"http_status_code":422}})", true);
}

// NeMo Retriever's.
Page ranking_refusal(const ErrorReply& error) {
  return json_page(error.status, R"({"object":"error","message":)" + quoted(error.message) +
                                     R"(,"detail":{},"type":"invalid_request_error"})");
}

}  // namespace

Page refusal(Dialect dialect, std::string_view path, const ErrorReply& error) {
  const bool is_native = is_native_path(dialect, path);
  if (path == "/v1/ranking") return ranking_refusal(error);
  if (dialect == Dialect::sglang) return sglang_refusal(is_native, error);
  if (dialect == Dialect::tgi) return tgi_refusal(is_native, error);
  return json_page(error.status, error_json(error));
}

}  // namespace tokometer::sim

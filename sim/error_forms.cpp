#include "sim/error_forms.hpp"

#include <tokometer/json.hpp>

namespace tokometer::sim {
namespace {

std::string_view type_name(int code) {
  if (code == 404) return "NotFoundError";
  if (code == 429) return "RateLimitError";
  return code < 500 ? "BadRequestError" : "InternalServerError";
}

}  // namespace

ErrorBody error_body(std::string_view form, int code, std::string_view message) {
  std::string text;
  tkm::JsonWriter json(text);
  const auto details = [&] {
    json.member("message", message)
        .member("type", type_name(code))
        .member("param", nullptr)
        .member("code", code);
  };
  if (form == "empty") return {};
  if (form == "text") return {"text/plain; charset=utf-8", std::string(message)};
  if (form == "html") {
    return {"text/html", "<html>\r\n<head><title>" + std::to_string(code) + " " +
                             std::string(reason_phrase(code)) + "</title></head>\r\n<body>\r\n<center><h1>" +
                             std::to_string(code) + " " + std::string(reason_phrase(code)) +
                             "</h1></center>\r\n</body>\r\n</html>\r\n"};
  }
  json.begin_object();
  if (form == "nested") json.key("error").begin_object(), details(), json.end_object();
  if (form == "flat") json.member("object", "error"), details();
  if (form == "tgi")
    json.member("error", message).member("error_type", code == 429 ? "overloaded" : "validation");
  if (form == "triton") json.member("error", message);
  if (form == "bare") json.member("error", reason_phrase(code));
  if (form == "fastapi") json.member("detail", message);
  if (form == "fastapi_list") {
    json.key("detail")
        .begin_array()
        .begin_object()
        .key("loc")
        .begin_array()
        .value("body")
        .value("max_tokens")
        .end_array();
    json.member("msg", message).member("type", "extra_forbidden").end_object().end_array();
  }
  json.end_object();
  return {"application/json", std::move(text)};
}

std::string error_event(std::string_view form, int code, std::string_view message) {
  std::string quoted;
  tkm::JsonWriter(quoted).value(message);
  const std::string number = std::to_string(code), type(type_name(code));
  const auto data = [](const std::string& json) { return "data: " + json + "\n\n"; };
  if (form == "sglang") {
    return data(R"({"error": {"object": "error", "message": )" + quoted + R"(, "type": ")" + type +
                R"(", "param": null, "code": )" + number + "}}");
  }
  const std::string made = quoted.substr(1);
  constexpr std::string_view kTgi = "\"Request failed during generation: ";
  if (form == "tgi")
    return data(R"({"error":)" + (std::string(kTgi) + made) + R"(,"error_type":"generation"})");
  if (form == "tgi_chat")
    return data(R"({"error":{"message":)" + (std::string(kTgi) + made) + R"(,"http_status_code":422}})");
  if (form == "llama_cpp") {
    return data(R"({"error":{"code":)" + number + R"(,"message":)" + quoted + R"(,"type":"server_error"}})");
  }
  if (form == "responses") {
    return "event: response.failed\n" +
           data(R"({"type":"response.failed","response":{"status":"failed","error":{"code":")" +
                std::string(code == 429 ? "rate_limit_exceeded" : "server_error") + R"(","message":)" +
                quoted + "}}}");
  }
  if (form == "triton") return data(R"({"error":)" + quoted + "}");
  const std::string json = R"({"error": {"message": )" + quoted + R"(, "type": ")" + type +
                           R"(", "param": null, "code": )" + number + "}}";
  return form == "event" ? "event: error\n" + data(json) : data(json);
}

std::string_view reason_phrase(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Payload Too Large";
    case 422:
      return "Unprocessable Entity";
    case 424:
      return "Failed Dependency";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

}  // namespace tokometer::sim

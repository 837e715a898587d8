#include "check/sample_responses.hpp"

#include <tokometer/random.hpp>

#include <array>

namespace tokometer::check {
namespace {

Response response(int32_t status, const char* type, std::string body, bool is_stream) {
  Response it;
  it.is_stream = is_stream;
  it.status = status;
  it.headers = {{"content-type", type}};
  it.body = std::move(body);
  return it;
}

constexpr const char* kChatStream =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
    ": ping\n\n"
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\xc3\xa9 "
    "\\u00e9\\n\"},\"finish_reason\":null}]}\r\n\r\n"
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
    "tide\"},\"finish_reason\":\"stop\"}]}\n\n"
    "data: "
    "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}"
    "\n\n"
    "data: [DONE]\n\n";
constexpr const char* kTextStream =
    "data: {\"choices\":[{\"index\":0,\"text\":\" high\",\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"text\":\" tide\",\"finish_reason\":\"length\"}]}\n\n"
    "data: [DONE]\n\n";
constexpr const char* kWhole =
    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"high "
    "tide\"},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}";
constexpr const char* kJsonLines =
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"high\"},\"done\":false}\n"
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\" tide\"},\"done\":false}\n"
    "{\"model\":\"m\",\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":5,\"eval_count\":2}\n";
constexpr const char* kNamedEvents =
    "event: message_start\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5}}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"high\"}}\n\n"
    "event: message_delta\ndata: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}"
    "\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
constexpr const char* kErrorInside =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
    "data: {\"error\":{\"message\":\"the engine died\",\"type\":\"InternalServerError\",\"code\":500}}\n\n"
    "data: {\"error\":{\"message\":\"the engine died again\",\"code\":500}}\n\ndata: [DONE]\n\n";

}  // namespace

std::vector<NamedResponse> common_responses() {
  return {{"a chat stream", response(200, "text/event-stream", kChatStream, true)},
          {"a text stream", response(200, "text/event-stream", kTextStream, true)},
          {"a stream with errors inside", response(200, "text/event-stream", kErrorInside, true)},
          {"a stream of named events", response(200, "text/event-stream", kNamedEvents, true)},
          {"a stream of JSON lines", response(200, "application/x-ndjson", kJsonLines, true)},
          {"a whole answer", response(200, "application/json", kWhole, false)},
          {"a whole answer where a stream was asked for", response(200, "application/json", kWhole, true)},
          {"an empty stream", response(200, "text/event-stream", "", true)},
          {"an empty answer", response(200, "application/json", "", false)}};
}

std::vector<NamedResponse> error_responses() {
  struct Body {
    const char *type, *text;
  };
  constexpr std::array kBodies{
      Body{"application/json", R"({"error":{"message":"too many requests","type":"overloaded","code":429}})"},
      Body{"application/json", R"({"error":"Model is overloaded","error_type":"overloaded"})"},
      Body{"application/json", R"({"detail":[{"loc":["body"],"msg":"field required"}]})"},
      Body{"application/json", R"({"object":"error","message":"bad","code":400})"},
      Body{"application/json", R"({"error":)"},
      Body{"text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>"},
      Body{"text/plain", "upstream connect error"},
      Body{"text/event-stream", "data: {\"error\":{\"message\":\"late\"}}\n\n"},
      Body{"application/json", ""}};
  std::vector<NamedResponse> all;
  for (const int32_t status : {400, 401, 404, 422, 429, 500, 502, 503}) {
    for (const Body& body : kBodies) {
      for (const bool is_stream : {true, false}) {
        all.push_back({std::to_string(status) + " with " + (*body.text == '\0' ? "nothing" : body.text),
                       response(status, body.type, body.text, is_stream)});
      }
    }
  }
  return all;
}

std::vector<NamedResponse> noise() {
  constexpr std::string_view kTelling = "\"\\{}[],:0n\n\r \xC3\xFF";
  std::vector<NamedResponse> all;
  tkm::Random random(7, "noise");
  for (int i = 0; i < 60; ++i) {  // recorded streams with bytes changed
    std::string body = i % 2 == 0 ? kChatStream : kTextStream;
    for (uint64_t changes = 1 + random.below(6); changes > 0; --changes) {
      body[random.below(body.size())] = kTelling[random.below(kTelling.size())];
    }
    all.push_back(
        {"damaged stream " + std::to_string(i), response(200, "text/event-stream", std::move(body), true)});
  }
  for (int i = 0; i < 40; ++i) {
    std::string body(1 + random.below(400), '\0');
    for (char& byte : body) byte = static_cast<char>(random.below(256));
    if (i % 2 == 0) body = "data: " + body + "\n\ndata: [DONE]\n\n";
    all.push_back(
        {"random bytes " + std::to_string(i), response(200, "text/event-stream", std::move(body), true)});
  }
  all.push_back({"a deep nest",
                 response(200, "text/event-stream", "data: " + std::string(100'000, '[') + "\n\n", true)});
  all.push_back({"a line of 1 MB",
                 response(200, "text/event-stream", "data: " + std::string(1'000'000, 'x') + "\n\n", true)});
  return all;
}

}  // namespace tokometer::check

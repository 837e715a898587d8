// NVIDIA Triton: KServe v2 over HTTP (its generate extension) and over gRPC, and the OpenAI frontend. What a
// request looks like depends on the model's tensors, which are learned from the server.
#include <tokometer/openai.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "grpc.hpp"
#include "options.hpp"
#include "reply.hpp"
#include "request.hpp"
#include "telemetry.hpp"
#include "tensors.hpp"

namespace triton {
namespace {

// A name as one segment of a path.
std::string in_path(std::string_view name) {
  std::string out;
  for (const char letter : name) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' ||
                          letter == '.' || letter == '~';
    char escaped[4] = {letter};
    if (!is_plain) std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<unsigned char>(letter));
    out += escaped;
  }
  return out;
}

// 401 and 403 pass: the list of models says what is wrong with the key.
constexpr auto kGenerateMembers = R"(
"ports":{"http":8000,"metrics":8002},
"ready":[{"get":"/v2/health/ready","status":[200,401,403]}],
"info":[{"id":"server","get":"/v2","optional":true}],
"models":{"post":"/v2/repository/index","json":{"ready":true},"names":"/*/name"})";
constexpr auto kFrontendMembers = R"(
"ports":{"http":9000},
"ready":[{"get":"/health/ready","status":[200,401,403]}],
"telemetry":[{"get":"/metrics","quantities":{
  "queue_size":[{"metric":"nv_inference_pending_request_count"}],
  "requests_ok":[{"metric":"nv_inference_request_success"}],
  "requests_failed":[{"metric":"nv_inference_request_failure"}]}}])";

constexpr std::array kCapabilities{"proto.http", "reply.whole", "reply.stream", "output.exact", "form.chat",
                                   "form.text",  "route.model", "count.server", "proto.grpc"};
constexpr std::span kOverHttp{kCapabilities.data(), kCapabilities.size() - 1};

// The OpenAI frontend, which refuses fields that it does not know, several choices, and token ids.
class Frontend : public tkm::OpenAiProcessor {
 public:
  explicit Frontend(bool is_chat) : OpenAiProcessor({.is_chat = is_chat, .has_exact_output = true}) {}
  std::string describe() const { return profile({.capabilities = kOverHttp, .members = kFrontendMembers}); }
};

// generate and generate_stream. The index of models comes first: it may name the only one.
class Generate {
 public:
  Generate(const Options& options, std::string_view model)
      : options_(options),
        model_(model),
        request_(tensors_),
        shared_(std::make_unique<GenerateReply::Shared>()) {
    if (!options.tensors.text.empty()) shared_->text_tensor = options.tensors.text;
    shared_->is_cumulative = options.accumulate == "yes";
  }
  Generate(const Generate&) = delete;  // request_ refers to tensors_
  Generate& operator=(const Generate&) = delete;

  std::string describe() const;
  void learn(const tkm_answer& answer);
  void encode(const tkm_prompt& prompt, tkm::RequestOut& out);
  GenerateReply open(const tkm_prompt& prompt) {
    return {*shared_, model_of(prompt), prompt.reply == TKM_REPLY_STREAM};
  }

 private:
  std::string_view model_of(const tkm_prompt& prompt) const {
    return prompt.model.size > 0 ? tkm::view(prompt.model) : std::string_view(model_);
  }
  void learn_models(std::string_view body);

  Options options_;
  std::string model_;   // empty: not known yet
  std::string unread_;  // why the metadata could not be read
  Tensors tensors_;
  GenerateRequest request_;
  std::unique_ptr<GenerateReply::Shared> shared_;
};

std::string Generate::describe() const {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("profile", 1).key("features").begin_array();
  for (const std::string_view capability : kOverHttp) {
    if (GenerateRequest::has(tensors_, capability)) json.value(capability);
  }
  json.end_array().key("discover").begin_array();
  json.raw(R"({"id":"index","post":"/v2/repository/index","json":{"ready":true},"optional":true})");
  if (!model_.empty()) {
    json.begin_object().member("id", "metadata").member("get", "/v2/models/" + in_path(model_));
    json.member("optional", true).end_object();
  }
  json.end_array().raw(kGenerateMembers).raw(kTelemetry).end_object();
  return text;
}

void Generate::learn(const tkm_answer& answer) {
  const std::string_view probe = tkm::view(answer.probe);
  if (probe == "index" && answer.status == 200) learn_models(tkm::view(answer.body));
  if (probe != "metadata") return;
  if (answer.status !=
      200) {  // no such model, or no right to ask: the core says so, if the server lists models
    unread_ = "the tensors of the model \"" + model_ + "\" are not known: GET /v2/models/" + in_path(model_) +
              (answer.status < 0 ? " was not answered" : " gave " + std::to_string(answer.status));
    return;
  }
  unread_.clear();
  tensors_ = Tensors(tkm::view(answer.body), options_.tensors);
  shared_->text_tensor = tensors_.names().text;
  if (options_.accumulate == "auto") shared_->is_cumulative = tensors_.family() == Tensors::Family::llm_api;
}

void Generate::learn_models(std::string_view body) {
  tkm::JsonDocument root;
  if (!model_.empty() || !tkm::parse_json(body, root) || !root.IsArray() || root.Size() != 1) return;
  model_ = tkm::get_string(root[0], "name");
}

void Generate::encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
  if (!unread_.empty()) throw tkm::unsupported(unread_);
  const std::string& body = request_.build(prompt);
  const bool is_stream = prompt.reply == TKM_REPLY_STREAM;
  out.http("POST",
           "/v2/models/" + in_path(model_of(prompt)) + (is_stream ? "/generate_stream" : "/generate"));
  out.header("content-type", "application/json");
  out.header("accept", is_stream ? "text/event-stream" : "application/json");
  out.body(body);
}

class Reply {
 public:
  explicit Reply(GenerateReply reply) : reply_(std::move(reply)) {}
  explicit Reply(GrpcReply reply) : reply_(std::move(reply)) {}
  explicit Reply(tkm::OpenAiReply reply) : reply_(std::move(reply)) {}
  tkm_status head(const tkm_head& head, tkm::Events& events) {
    return std::visit([&](auto& reply) { return reply.head(head, events); }, reply_);
  }
  void data(std::string_view bytes, tkm::Events& events) {
    std::visit([&](auto& reply) { reply.data(bytes, events); }, reply_);
  }
  void end(const tkm_end& end, tkm::Events& events) {
    std::visit([&](auto& reply) { reply.end(end, events); }, reply_);
  }

 private:
  std::variant<GenerateReply, GrpcReply, tkm::OpenAiReply> reply_;
};

class Triton {
 public:
  using Options = triton::Options;
  static constexpr auto kId = "triton",
                        kSummary = "NVIDIA Triton: generate over HTTP, gRPC, and its OpenAI frontend";
  static constexpr auto kCapabilities = triton::kCapabilities;

  Triton(const Options& options, const tkm_create_args& args) {
    const std::string_view model = args.model_count > 0 ? tkm::view(args.models[0]) : std::string_view();
    if (options.api == "generate") {
      generate_ = std::make_unique<Generate>(options, model);
    } else if (options.api == "grpc") {
      grpc_ = std::make_unique<Grpc>(options, model);
    } else {
      frontend_ = std::make_unique<Frontend>(options.api == "chat");
    }
  }

  std::string describe() const {
    return generate_ ? generate_->describe() : grpc_ ? grpc_->describe() : frontend_->describe();
  }
  void learn(const tkm_answer& answer) {
    if (generate_) return generate_->learn(answer);
    grpc_ ? grpc_->learn(answer) : frontend_->learn(answer);
  }
  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    if (generate_) return generate_->encode(prompt, out);
    grpc_ ? grpc_->encode(prompt, out) : frontend_->encode(prompt, out);
  }
  Reply open(const tkm_prompt& prompt) {
    if (generate_) return Reply(generate_->open(prompt));
    return grpc_ ? Reply(grpc_->open(prompt)) : Reply(frontend_->open(prompt));
  }

 private:
  std::unique_ptr<Generate> generate_;  // one of the three
  std::unique_ptr<Grpc> grpc_;
  std::unique_ptr<Frontend> frontend_;
};

}  // namespace
}  // namespace triton

TKM_MODULE("triton", "0.1.0", "Apache-2.0", tkm::processor<triton::Triton>());

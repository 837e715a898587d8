// The part that OpenAI-like backends share. A backend derives from OpenAiProcessor, says its dialect and its
// profile:
//
//   class Mine : public tkm::OpenAiProcessor {
//    public:
//     static constexpr auto kId = "mine", kSummary = "the server of mine";
//     static constexpr std::array kCapabilities{"proto.http", "reply.stream", "reply.whole", ...};
//     Mine() : OpenAiProcessor({.has_exact_output = true}) {}
//     std::string describe() const {
//       return profile({.capabilities = kCapabilities, .members = R"("ready":[{"get":"/health"}])"});
//     }
//   };
//
// Requests: openai/request.hpp. Replies: openai/reply.hpp. More routes than chat and completions:
// openai/apis.hpp. One instance an I/O thread, as the ABI says.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/reply.hpp>
#include <tokometer/openai/request.hpp>
#include <tokometer/plugin.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

class OpenAiProcessor {
 public:
  // `metrics`: numbers of the objects "metrics" and "stats" of a chunk that become metrics of the request;
  // name them in the profile.
  explicit OpenAiProcessor(OpenAiDialect dialect, std::vector<std::string> metrics = {})
      : request_(std::move(dialect)), shared_(std::make_unique<OpenAiShared>()) {
    shared_->metrics = std::move(metrics);
  }

  void encode(const tkm_prompt& prompt, RequestOut& out) {
    const std::string& body = request_.build(prompt);
    out.http("POST", request_.path());
    out.header("content-type", "application/json");
    out.header("accept", prompt.reply == TKM_REPLY_STREAM ? "text/event-stream" : "application/json");
    out.body(body);
  }

  OpenAiReply open(const tkm_prompt& prompt) { return {*shared_, prompt, request_.model_of(prompt)}; }

  // The answer to the probe `models` of profile(): tells a reply of another model from an alias.
  void learn(const tkm_answer& answer) {
    if (view(answer.probe) == "models" && answer.status == 200) shared_->models.learn(view(answer.body));
  }

 protected:
  JsonScratch& scratch() { return shared_->json; }
  OpenAiShared& shared() { return *shared_; }
  // What stands in the member "model"; valid until the next call.
  std::string_view model_of(const tkm_prompt& prompt) { return request_.model_of(prompt); }

  struct ProfileParts {
    std::span<const char* const> capabilities;  // of the component; what the api at hand has not is left out
    std::string_view members;                   // more members of the profile, as JSON; may be empty
    std::string_view discover = {};             // more probes of the profile, as JSON, between commas
    std::string_view without = {};              // a capability that the api at hand has not
    bool lists_adapters = true;                 // in the model list
  };
  // The profile: features, the model list as OpenAI's API has it, and `members`.
  std::string profile(const ProfileParts& parts) const {
    std::string text;
    JsonWriter json(text);
    json.begin_object().member("profile", 1).key("features").begin_array();
    for (const std::string_view capability : parts.capabilities) {
      if (has(capability) && capability != parts.without) json.value(capability);
    }
    json.end_array();
    json.key("discover").begin_array().raw(R"({"id":"models","get":"/v1/models","optional":true})");
    if (!parts.discover.empty()) json.raw(parts.discover);
    json.end_array();
    json.key("models").begin_object().member("get", "/v1/models").member("names", "/data/*/id");
    json.member("context", "/data/*/max_model_len");
    if (!parts.lists_adapters) json.member("lists_adapters", false);
    json.end_object();
    if (!parts.members.empty()) json.raw(parts.members);
    json.end_object();
    return text;
  }

 private:
  bool has(std::string_view capability) const {
    const bool is_of_chat = request_detail::is_one_of(capability, {"channel.reasoning", "channel.tools"});
    if (is_of_chat) return request_.dialect().is_chat;
    return capability != "form.tokens" || !request_.dialect().is_chat;
  }

  OpenAiRequest request_;
  std::unique_ptr<OpenAiShared> shared_;  // its address must not change: replies refer to it
};

}  // namespace tkm

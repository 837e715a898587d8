// The smallest complete backend: a server that speaks OpenAI's API, with one option and a profile of its own.
// Copy this folder, rename my-backend and MyBackend, and change what is different about your server.
#include <tokometer/openai.hpp>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <string>

namespace {

// What a run file may say under `processor: {use: my-backend, options: {...}}`.
struct Options {
  std::string api = "chat";
  static void options(tkm::OptionSet<Options>& set) {
    set.add("api", &Options::api)
        .one_of({"chat", "completions"})
        .help("/v1/chat/completions or /v1/completions");
  }
};

// What the core should know about the server; see profile/v1.schema.json. All of it may be left out.
constexpr auto kMembers = R"(
"ports": {"http": 8000},
"ready": [{"get": "/health"}],
"telemetry": [{"get": "/metrics", "quantities": {"queue_size": [{"metric": "my_backend_requests_waiting"}]}}])";

// Requests and responses come from OpenAiProcessor; override encode() or open() where your server differs.
class MyBackend : public tkm::OpenAiProcessor {
 public:
  using Options = ::Options;
  static constexpr auto kId = "my-backend", kSummary = "my server's OpenAI-like API";
  static constexpr std::array kCapabilities{"proto.http", "reply.whole", "reply.stream",
                                            "form.chat",  "form.text",   "route.model"};

  explicit MyBackend(const Options& options) : OpenAiProcessor({.is_chat = options.api == "chat"}) {}
  std::string describe() const { return profile({.capabilities = kCapabilities, .members = kMembers}); }
};

}  // namespace

TKM_MODULE("my-backend", "0.1.0", "Apache-2.0", tkm::processor<MyBackend>());

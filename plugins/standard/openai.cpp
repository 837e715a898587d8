#include "openai.hpp"

#include <tokometer/openai/apis.hpp>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <string>

namespace standard {
namespace {

struct OpenAiOptions {
  std::string api = "chat";
  std::string token_limit_field = "max_completion_tokens";
  bool usage = true;

  static void options(tkm::OptionSet<OpenAiOptions>& set) {
    set.add("api", &OpenAiOptions::api)
        .one_of({"chat", "completions", "responses", "embeddings"})
        .help(
            "/v1/chat/completions; /v1/completions: one text or token ids, no chat template; /v1/responses; "
            "or "
            "/v1/embeddings");
    set.add("token_limit_field", &OpenAiOptions::token_limit_field)
        .one_of({"max_completion_tokens", "max_tokens"})
        .help("how a chat says its longest answer; older servers know max_tokens only");
    set.add("usage", &OpenAiOptions::usage)
        .help("ask for token counts at the end of a stream; off for servers that refuse stream_options");
  }
};

class OpenAi : public tkm::OpenAiApis {
 public:
  using Options = OpenAiOptions;
  static constexpr auto kId = "openai", kSummary = "any server with OpenAI's API, standard fields only";
  static constexpr std::array kCapabilities{
      "proto.http",  "reply.whole", "reply.stream",  "choices.many",      "form.chat",     "form.text",
      "form.tokens", "route.model", "route.adapter", "channel.reasoning", "channel.tools", "task.embed"};

  explicit OpenAi(const Options& options)
      : OpenAiApis(tkm::openai_api(options.api),
                   {.token_limit_field = options.token_limit_field, .asks_usage = options.usage}) {}

  std::string describe() const {
    return profile({.capabilities = kCapabilities, .members = R"("ready":[{"get":"/v1/models"}])"});
  }
};

}  // namespace

const tkm_component* openai_processor() {
  return tkm::processor<OpenAi>();
}

}  // namespace standard

// Hugging Face TGI: its own routes and its OpenAI routes, what it cannot do, and what it says about itself.
#include <tokometer/openai.hpp>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/plugin/either.hpp>

#include <array>
#include <string>

#include "native_reply.hpp"
#include "native_request.hpp"

namespace {

struct Options {
  std::string api = "chat";
  bool best_effort = false;

  static void options(tkm::OptionSet<Options>& set) {
    set.add("api", &Options::api)
        .one_of({"chat", "completions", "generate"})
        .help(
            "/v1/chat/completions, /v1/completions, or TGI's own /generate_stream and /generate: one text, "
            "no chat template");
    set.add("best_effort", &Options::best_effort)
        .help(
            "take answers of over 1024 tokens, which TGI makes in whole pieces of 1024, each with a new "
            "prefill: longer than asked");
  }
};

// TGI has no page for its cache, no counters of it, no histograms of TTFT or ITL, and no LoRA at run time.
constexpr auto kMembers = R"(
"ports":{"http":3000},
"ready":[{"get":"/health"}],
"info":[{"id":"version","get":"/info","optional":true}],
"tokenize":{"post":"/tokenize","json":{"inputs":"${text}"},"ids":"/*/id"},
"telemetry":[{"get":"/metrics","quantities":{
  "queue_size":[{"metric":"tgi_queue_size"}],
  "batch_size":[{"metric":"tgi_batch_current_size"}],
  "kv_usage":[{"metric":"tgi_batch_current_max_tokens","divide_by":"tgi_batch_max_total_tokens","fold":"mean"}],
  "prompt_tokens":[{"metric":"tgi_request_input_length_sum"}],
  "output_tokens":[{"metric":"tgi_request_generated_tokens_sum"}],
  "requests_ok":[{"metric":"tgi_request_success"}],
  "requests_failed":[{"metric":"tgi_request_failure"}],
  "requests_rejected":[{"metric":"tgi_request_failure","labels":{"err":"overloaded"}}],
  "e2e":[{"metric":"tgi_request_duration"}],
  "queue_time":[{"metric":"tgi_request_queue_duration"}]}}],
"request_metrics":{
  "queue_time_ms":{"unit":"ms","help":"waiting to be scheduled; of replies that are not streamed","better":"lower"},
  "inference_time_ms":{"unit":"ms","help":"making the answer; of replies that are not streamed","better":"lower"},
  "validation_time_ms":{"unit":"ms","help":"checking the request; of replies that are not streamed","better":"lower"}})";

class Tgi : public tkm::OpenAiProcessor {
 public:
  using Options = ::Options;
  static constexpr auto kId = "tgi", kSummary = "Hugging Face TGI: /generate_stream and the OpenAI routes";
  static constexpr std::array kCapabilities{"proto.http", "reply.whole", "reply.stream", "channel.tools",
                                            "form.chat",  "form.text",   "route.model",  "route.adapter"};

  explicit Tgi(const Options& options)
      : OpenAiProcessor(
            {.is_chat = options.api == "chat", .token_limit_field = "max_tokens", .has_choices = false}),
        is_native_(options.api == "generate"),
        takes_pieces_(options.best_effort) {}

  std::string describe() const {
    return profile({.capabilities = kCapabilities,
                    .members = kMembers,
                    .discover = {},
                    .without = is_native_ ? "route.model" : "",
                    .lists_adapters = false});
  }

  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    check(prompt);
    if (!is_native_) return OpenAiProcessor::encode(prompt, out);
    const bool is_stream = prompt.reply == TKM_REPLY_STREAM;
    const std::string& body = request_.build(prompt);
    out.http("POST", is_stream ? "/generate_stream" : "/generate");
    out.header("content-type", "application/json");
    out.header("accept", is_stream ? "text/event-stream" : "application/json");
    out.body(body);
  }

  using Reply = tkm::EitherStream<tkm::OpenAiReply, tgi::NativeReply>;
  Reply open(const tkm_prompt& prompt) {
    if (is_native_) return tgi::NativeReply(scratch(), prompt);
    return OpenAiProcessor::open(prompt);
  }

 private:
  static constexpr int64_t kPieceTokens = 1024;

  void check(const tkm_prompt& prompt) const {
    if (prompt.form == TKM_FORM_TOKENS) throw tkm::unsupported("a prompt of token ids: TGI takes text only");
    if (prompt.output_mode == TKM_OUTPUT_EXACT) {
      throw tkm::unsupported(
          "an exact output length: TGI ends where its model ends and cannot be told otherwise; "
          "set request.output: best_effort, and lengths are what the report says");
    }
    if (prompt.output_tokens > kPieceTokens && !takes_pieces_) {
      throw tkm::unsupported(
          "an answer of " + std::to_string(prompt.output_tokens) +
          " tokens: TGI makes whole pieces of 1024, each with a new prefill, and the last one "
          "is not shortened; ask for 1024 at most, or set the processor's best_effort: true");
    }
  }

  bool is_native_, takes_pieces_;
  tgi::NativeRequest request_;
};

}  // namespace

TKM_MODULE("tgi", "0.1.0", "Apache-2.0", tkm::processor<Tgi>());

// SGLang: its own /generate and its OpenAI routes, and what it says about itself. Both HTTP frontends
// (Python, Rust) and the gateway in front of them.
#include <tokometer/openai/apis.hpp>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/plugin/either.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>

#include "generate_reply.hpp"
#include "generate_request.hpp"

namespace {

struct Options {
  std::string api = "chat";
  bool running_usage = false;
  int64_t vocab_size = 0;

  static void options(tkm::OptionSet<Options>& set) {
    set.add("api", &Options::api)
        .one_of({"chat", "completions", "responses", "embeddings", "rerank", "generate"})
        .help(
            "/v1/chat/completions, /v1/completions, /v1/responses (Python frontend only), of embedding "
            "models /v1/embeddings, of rerankers /v1/rerank, or SGLang's own /generate: one text or token "
            "ids, no chat template");
    set.add("running_usage", &Options::running_usage)
        .help(
            "OpenAI routes: ask for usage on every chunk: exact tokens per event (/generate always has "
            "them)");
    set.add("vocab_size", &Options::vocab_size)
        .at_least(0)
        .help(
            "prompts of token ids: refuse ids from here on, which end the whole server; 0: what the server "
            "says, if it does");
  }
};

// Sums over engines and models, but where a share is meant. Names change with SGLang's versions: newest
// first. /health generates a token: before the load that does no harm, and only it is there in all versions
// and frontends.
constexpr auto kMembers = R"(
"ports":{"http":30000},
"ready":[{"get":"/health"}],
"info":[{"id":"version","get":"/server_info","optional":true},{"id":"model_info","get":"/model_info","optional":true}],
"reset_cache":[{"post":"/flush_cache","when":"idle"}],
"load_adapter":[{"post":"/load_lora_adapter","json":{"lora_name":"${adapter}","lora_path":"${path}"}}],
"unload_adapter":[{"post":"/unload_lora_adapter","json":{"lora_name":"${adapter}"}}],
"start_profile":[{"post":"/start_profile"}],
"stop_profile":[{"post":"/stop_profile"}],
"tokenize":{"post":"/tokenize","json":{"model":"${model}","prompt":"${text}"},"ids":"/tokens"},
"telemetry":[{"get":"/metrics","quantities":{
  "queue_size":[{"metric":"sglang:num_queue_reqs"}],
  "batch_size":[{"metric":"sglang:num_running_reqs"}],
  "kv_usage":[{"metric":"sglang:token_usage","fold":"mean"}],
  "prefix_hit_tokens":[{"metric":"sglang:cached_tokens_total"}],
  "prefix_hit_rate":[{"metric":"sglang:cache_hit_rate","fold":"mean"}],
  "preemptions":[{"metric":"sglang:num_retracted_requests_total"}],
  "prompt_tokens":[{"metric":"sglang:prompt_tokens_total"}],
  "output_tokens":[{"metric":"sglang:generation_tokens_total"}],
  "requests_ok":[{"metric":"sglang:num_requests_total"}],
  "requests_failed":[{"metric":"sglang:num_aborted_requests_total"}],
  "ttft":[{"metric":"sglang:time_to_first_token_seconds","labels":{"is_streaming":"true"}},{"metric":"sglang:time_to_first_token_seconds"}],
  "itl":[{"metric":"sglang:inter_token_latency_seconds"},{"metric":"sglang:time_per_output_token_seconds"}],
  "e2e":[{"metric":"sglang:e2e_request_latency_seconds"}],
  "queue_time":[{"metric":"sglang:queue_time_seconds"}]}}],
"request_metrics":{
  "queue_time":{"unit":"s","help":"waiting to be scheduled","better":"lower"},
  "first_token_latency":{"unit":"s","help":"the server's own time to the first token","better":"lower"},
  "e2e_latency":{"unit":"s","help":"the server's own time for the request","better":"lower"},
  "decode_throughput":{"unit":"tokens/s","help":"after the first token","better":"higher"},
  "spec_accept_length":{"unit":"tokens","help":"tokens of each speculative step","better":"higher"}})";
constexpr auto kDiscover = R"({"id":"server_info","get":"/server_info","optional":true})"
                           R"(,{"id":"old_server_info","get":"/get_server_info","optional":true})"
                           R"(,{"id":"model_info","get":"/model_info","optional":true})";

// A list of scores; what a request says of model and adapter is not read.
constexpr tkm::RankDialect kRanks{.results = nullptr, .score = "score", .has_model = false};

class Sglang : public tkm::OpenAiApis {
 public:
  using Options = ::Options;
  static constexpr auto kId = "sglang", kSummary = "SGLang: /generate and the OpenAI routes";
  static constexpr std::array kCapabilities{
      "proto.http",    "reply.whole",  "reply.stream", "output.exact", "choices.many", "channel.reasoning",
      "channel.tools", "form.chat",    "form.text",    "form.tokens",  "route.model",  "route.adapter",
      "cache.salt",    "count.server", "task.embed",   "task.rank"};

  using Capabilities = std::span<const char* const>;
  // /v1/responses takes neither ignore_eos nor an adapter.
  static constexpr std::array kOfResponses{
      "proto.http", "reply.whole", "reply.stream", "channel.reasoning", "channel.tools",
      "form.chat",  "form.text",   "route.model",  "cache.salt",        "count.server"};

  explicit Sglang(const Options& options)
      : OpenAiApis(tkm::openai_api(options.api == "generate" ? "completions" : options.api),
                   {.asks_running_usage = options.running_usage,
                    .has_exact_output = options.api != "responses",
                    .has_min_tokens = false,
                    .has_model_adapters = true,
                    .has_cache_salt = true,
                    .has_own_sampling = true},
                   {}, kRanks),
        is_native_(options.api == "generate"),
        capabilities_(options.api == "responses" ? Capabilities(kOfResponses) : Capabilities(kCapabilities)),
        asked_vocab_size_(options.vocab_size) {
    shared_ = std::make_unique<sglang::Shared>(sglang::Shared{scratch()});
  }

  std::string describe() const {
    return profile({.capabilities = capabilities_,
                    .members = kMembers,
                    .discover = kDiscover,
                    .without = is_native_ ? "route.model" : ""});
  }

  // /server_info of newer servers says how they stream; some versions say how large the vocabulary is.
  void learn(const tkm_answer& answer) {
    OpenAiApis::learn(answer);
    tkm::JsonDocument root;
    if (answer.status != 200 || tkm::view(answer.probe) == "models" ||
        !tkm::parse_json(tkm::view(answer.body), root))
      return;
    shared_->is_incremental = shared_->is_incremental ||
                              tkm::get_bool(root, "incremental_streaming_output") ||
                              tkm::get_bool(root, "stream_output");
    told_vocab_size_ = std::max(told_vocab_size_, tkm::get_int(root, "vocab_size"));
  }

  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    check_ids(prompt);
    if (!is_native_) return OpenAiApis::encode(prompt, out);
    const std::string& body = request_.build(prompt);
    out.http("POST", "/generate");
    out.header("content-type", "application/json");
    out.header("accept", prompt.reply == TKM_REPLY_STREAM ? "text/event-stream" : "application/json");
    out.body(body);
  }

  using Reply = tkm::EitherStream<OpenAiApis::Reply, sglang::GenerateReply>;
  Reply open(const tkm_prompt& prompt) {
    if (is_native_) return sglang::GenerateReply(*shared_, prompt);
    return OpenAiApis::open(prompt);
  }

 private:
  // One id that is none ends the whole server, without a word (seen on the CPU).
  void check_ids(const tkm_prompt& prompt) const {
    const int64_t size = asked_vocab_size_ > 0 ? asked_vocab_size_ : told_vocab_size_;
    for (const int32_t id : tkm::tokens(prompt)) {
      if (prompt.form != TKM_FORM_TOKENS) return;
      if (id >= 0 && (size == 0 || id < size)) continue;
      throw tkm::input_error("token id " + std::to_string(id) + " is outside the vocabulary" +
                             (size == 0 ? "" : " of " + std::to_string(size) + " tokens") +
                             "; it would end the whole server, so it is not sent");
    }
  }

  bool is_native_;
  Capabilities capabilities_;
  int64_t asked_vocab_size_, told_vocab_size_ = 0;
  sglang::GenerateRequest request_;
  std::unique_ptr<sglang::Shared> shared_;  // its address must not change: replies refer to it
};

}  // namespace

TKM_MODULE("sglang", "0.1.0", "Apache-2.0", tkm::processor<Sglang>());

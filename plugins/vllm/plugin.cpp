// vLLM's OpenAI-like API: what it takes beyond OpenAI's, and what it says about itself.
#include <tokometer/openai/apis.hpp>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <string>

namespace {

struct Options {
  std::string api = "chat";
  bool running_usage = false;
  bool token_ids = false;

  static void options(tkm::OptionSet<Options>& set) {
    set.add("api", &Options::api)
        .one_of({"chat", "completions", "responses", "embeddings", "rerank"})
        .help(
            "/v1/chat/completions; /v1/completions: one text or token ids, no chat template; /v1/responses; "
            "or, of "
            "pooling models, /v1/embeddings and /v1/rerank");
    set.add("running_usage", &Options::running_usage)
        .help("ask for usage on every chunk: exact tokens per event, at some cost for the server");
    set.add("token_ids", &Options::token_ids)
        .help("ask for the ids of the tokens of every chunk: exact tokens per event (vLLM 0.10.2 and later)");
  }
};

// Sums over engines and models, but where a share is meant. Names change with vLLM's versions: newest first.
constexpr auto kMembers = R"(
"ports":{"http":8000},
"ready":[{"get":"/health"}],
"info":[{"id":"version","get":"/version","optional":true}],
"reset_cache":[{"post":"/reset_prefix_cache","when":"idle"}],
"load_adapter":[{"post":"/v1/load_lora_adapter","json":{"lora_name":"${adapter}","lora_path":"${path}"},"timeout":120}],
"unload_adapter":[{"post":"/v1/unload_lora_adapter","json":{"lora_name":"${adapter}"}}],
"start_profile":[{"post":"/start_profile"}],
"stop_profile":[{"post":"/stop_profile","timeout":300}],
"tokenize":{"post":"/tokenize","json":{"model":"${model}","prompt":"${text}"},"ids":"/tokens"},
"telemetry":[{"get":"/metrics","quantities":{
  "queue_size":[{"metric":"vllm:num_requests_waiting"}],
  "batch_size":[{"metric":"vllm:num_requests_running"}],
  "kv_usage":[{"metric":"vllm:kv_cache_usage_perc","fold":"mean"},{"metric":"vllm:gpu_cache_usage_perc","fold":"mean"}],
  "prefix_hit_tokens":[{"metric":"vllm:prefix_cache_hits_total"},{"metric":"vllm:gpu_prefix_cache_hits_total"}],
  "prefix_query_tokens":[{"metric":"vllm:prefix_cache_queries_total"},{"metric":"vllm:gpu_prefix_cache_queries_total"}],
  "prefix_hit_rate":[{"metric":"vllm:gpu_prefix_cache_hit_rate","fold":"mean"}],
  "preemptions":[{"metric":"vllm:num_preemptions_total"}],
  "prompt_tokens":[{"metric":"vllm:prompt_tokens_total"}],
  "output_tokens":[{"metric":"vllm:generation_tokens_total"}],
  "requests_ok":[{"metric":"vllm:request_success_total"}],
  "requests_failed":[{"metric":"vllm:request_success_total","labels":{"finished_reason":"error"}}],
  "requests_rejected":[{"metric":"vllm:admission_rejections_total"}],
  "ttft":[{"metric":"vllm:time_to_first_token_seconds"}],
  "itl":[{"metric":"vllm:inter_token_latency_seconds"},{"metric":"vllm:time_per_output_token_seconds"}],
  "e2e":[{"metric":"vllm:e2e_request_latency_seconds"}],
  "queue_time":[{"metric":"vllm:request_queue_time_seconds"}]}}],
"request_metrics":{
  "time_to_first_token_ms":{"unit":"ms","help":"from scheduled to the first token, without the queue","better":"lower"},
  "generation_time_ms":{"unit":"ms","help":"from the first to the last token","better":"lower"},
  "queue_time_ms":{"unit":"ms","help":"waiting to be scheduled","better":"lower"},
  "mean_itl_ms":{"unit":"ms","help":"mean time between tokens","better":"lower"},
  "tokens_per_second":{"unit":"tokens/s","help":"while generating","better":"higher"}})";

class Vllm : public tkm::OpenAiApis {
 public:
  using Options = ::Options;
  static constexpr auto kId = "vllm", kSummary = "vLLM's OpenAI-like server";
  static constexpr std::array kCapabilities{
      "proto.http",    "reply.whole",  "reply.stream", "output.exact", "choices.many", "channel.reasoning",
      "channel.tools", "form.chat",    "form.text",    "form.tokens",  "route.model",  "route.adapter",
      "cache.salt",    "count.server", "task.embed",   "task.rank"};

  explicit Vllm(const Options& options)
      : OpenAiApis(tkm::openai_api(options.api),
                   {.asks_running_usage = options.running_usage,
                    .asks_token_ids = options.token_ids,
                    .has_exact_output = true,
                    .has_cache_salt = true,
                    .has_own_sampling = true},
                   {"time_to_first_token_ms", "generation_time_ms", "queue_time_ms", "mean_itl_ms",
                    "tokens_per_second"}) {}

  std::string describe() const { return profile({.capabilities = kCapabilities, .members = kMembers}); }
};

}  // namespace

TKM_MODULE("vllm", "0.1.0", "Apache-2.0", tkm::processor<Vllm>());

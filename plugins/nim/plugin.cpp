// NVIDIA NIM for LLMs: OpenAI's API, and what its two generations have of their own. 1.x is a server of NIM's
// with unprefixed metrics and `nvext`; 2.x and later are plain vLLM or SGLang behind a proxy. Which one it is
// is found out by asking.
#include <tokometer/openai/apis.hpp>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <string>

namespace {

enum class Generation { unknown, one, two };

struct Options {
  std::string api = "chat";
  std::string generation = "auto";
  bool running_usage = false;

  static void options(tkm::OptionSet<Options>& set) {
    set.add("api", &Options::api)
        .one_of({"chat", "completions", "embeddings", "ranking"})
        .help(
            "/v1/chat/completions; /v1/completions: one text or token ids, no chat template; of embedding "
            "NIMs /v1/embeddings, of reranking NIMs /v1/ranking");
    set.add("generation", &Options::generation)
        .one_of({"auto", "1.x", "2.x"})
        .help(
            "of NIM; auto: by /v1/version, else by the names on /v1/metrics. 1.x is sent nvext beside "
            "ignore_eos");
    set.add("running_usage", &Options::running_usage)
        .help("ask for usage on every chunk: exact tokens per event (2.x)");
  }
};

// Any of these metrics pages: 2.x on vLLM, on SGLang, 1.x. Hosted endpoints have no health route, and 401 and
// 403 pass: the list of models says what is wrong with the key.
constexpr auto kMembers = R"(
"ports":{"http":8000},
"ready":[{"get":"/v1/health/ready","status":[200,401,403,404]}],
"info":[{"id":"version","get":"/v1/version","optional":true},{"id":"metadata","get":"/v1/metadata","optional":true},
        {"id":"manifest","get":"/v1/manifest","optional":true}],
"telemetry":[{"get":"/v1/metrics","quantities":{
  "queue_size":[{"metric":"vllm:num_requests_waiting"},{"metric":"sglang:num_queue_reqs"},{"metric":"num_requests_waiting"}],
  "batch_size":[{"metric":"vllm:num_requests_running"},{"metric":"sglang:num_running_reqs"},{"metric":"num_requests_running"}],
  "kv_usage":[{"metric":"vllm:kv_cache_usage_perc","fold":"mean"},{"metric":"sglang:token_usage","fold":"mean"},
              {"metric":"gpu_cache_usage_perc","fold":"mean"}],
  "prefix_hit_tokens":[{"metric":"vllm:prefix_cache_hits_total"}],
  "prefix_query_tokens":[{"metric":"vllm:prefix_cache_queries_total"}],
  "prefix_hit_rate":[{"metric":"sglang:cache_hit_rate","fold":"mean"}],
  "preemptions":[{"metric":"vllm:num_preemptions_total"},{"metric":"sglang:num_retracted_requests_total"}],
  "prompt_tokens":[{"metric":"vllm:prompt_tokens_total"},{"metric":"sglang:prompt_tokens_total"},{"metric":"prompt_tokens_total"}],
  "output_tokens":[{"metric":"vllm:generation_tokens_total"},{"metric":"sglang:generation_tokens_total"},
                   {"metric":"generation_tokens_total"}],
  "requests_ok":[{"metric":"vllm:request_success_total"},{"metric":"sglang:num_requests_total"},{"metric":"request_success_total"}],
  "requests_failed":[{"metric":"vllm:request_success_total","labels":{"finished_reason":"error"}},
                     {"metric":"sglang:num_aborted_requests_total"},{"metric":"request_failure_total"}],
  "ttft":[{"metric":"vllm:time_to_first_token_seconds"},{"metric":"sglang:time_to_first_token_seconds"},
          {"metric":"time_to_first_token_seconds"}],
  "itl":[{"metric":"vllm:inter_token_latency_seconds"},{"metric":"vllm:time_per_output_token_seconds"},
         {"metric":"sglang:inter_token_latency_seconds"},{"metric":"time_per_output_token_seconds"}],
  "e2e":[{"metric":"vllm:e2e_request_latency_seconds"},{"metric":"sglang:e2e_request_latency_seconds"},
         {"metric":"e2e_request_latency_seconds"}],
  "queue_time":[{"metric":"vllm:request_queue_time_seconds"},{"metric":"sglang:queue_time_seconds"}]}}],
"request_metrics":{
  "llm_input_token_length":{"unit":"tokens","help":"1.x: of the prompt"},
  "llm_output_token_length":{"unit":"tokens","help":"1.x: of the answer"},
  "generation_time_in_ms":{"unit":"ms","help":"1.x: from the first to the last token","better":"lower"},
  "time_in_queue_in_ms":{"unit":"ms","help":"1.x on vLLM: waiting to be scheduled","better":"lower"},
  "time_to_first_token_in_ms":{"unit":"ms","help":"1.x: to the first token","better":"lower"},
  "token_to_token_time_in_ms":{"unit":"ms","help":"1.x: mean time between tokens","better":"lower"},
  "time_to_first_token_ms":{"unit":"ms","help":"2.x on vLLM: from scheduled to the first token","better":"lower"},
  "generation_time_ms":{"unit":"ms","help":"2.x on vLLM: from the first to the last token","better":"lower"},
  "queue_time_ms":{"unit":"ms","help":"2.x on vLLM: waiting to be scheduled","better":"lower"},
  "mean_itl_ms":{"unit":"ms","help":"2.x on vLLM: mean time between tokens","better":"lower"},
  "tokens_per_second":{"unit":"tokens/s","help":"while generating","better":"higher"}})";

constexpr auto kDiscover = R"({"id":"version","get":"/v1/version","optional":true},
{"id":"metrics","get":"/v1/metrics","optional":true})";

Generation of_release(std::string_view body) {
  tkm::JsonDocument root;
  if (!tkm::parse_json(body, root)) return Generation::unknown;
  const std::string_view release = tkm::get_string(root, "release");
  if (release.empty()) return Generation::unknown;
  return release.starts_with("1.") ? Generation::one : Generation::two;
}

Generation of_metrics(std::string_view page) {
  if (page.find("vllm:") != page.npos || page.find("sglang:") != page.npos) return Generation::two;
  return page.find("\nnum_requests_running") != page.npos ? Generation::one : Generation::unknown;
}

constexpr tkm::RankDialect kRanks{.api = "api: ranking",
                                  .path = "/v1/ranking",
                                  .documents = "passages",
                                  .results = "rankings",
                                  .score = "logit",
                                  .has_text_object = true};

class Nim : public tkm::OpenAiApis {
 public:
  using Options = ::Options;
  static constexpr auto kId = "nim", kSummary = "NVIDIA NIM for LLMs, 1.x and 2.x";
  static constexpr std::array kCapabilities{
      "proto.http",        "reply.whole",   "reply.stream", "output.exact", "choices.many",
      "channel.reasoning", "channel.tools", "form.chat",    "form.text",    "form.tokens",
      "route.model",       "route.adapter", "count.server", "task.embed",   "task.rank"};

  explicit Nim(const Options& options)
      : OpenAiApis(tkm::openai_api(options.api),
                   {.token_limit_field = "max_tokens",
                    .asks_running_usage = options.running_usage,
                    .has_exact_output = true,
                    .has_own_sampling = true},
                   {"llm_input_token_length", "llm_output_token_length", "generation_time_in_ms",
                    "time_in_queue_in_ms", "time_to_first_token_in_ms", "token_to_token_time_in_ms",
                    "time_to_first_token_ms", "generation_time_ms", "queue_time_ms", "mean_itl_ms",
                    "tokens_per_second"},
                   kRanks) {
    if (options.generation == "1.x") generation_ = Generation::one;
    if (options.generation == "2.x") generation_ = Generation::two;
  }

  std::string describe() const {
    return profile({.capabilities = kCapabilities, .members = kMembers, .discover = kDiscover});
  }

  // The version is asked first; the names of metrics count where it says nothing.
  void learn(const tkm_answer& answer) {
    const std::string_view probe = tkm::view(answer.probe), body = tkm::view(answer.body);
    OpenAiApis::learn(answer);
    if (answer.status != 200 || generation_ != Generation::unknown) return;
    if (probe == "version") generation_ = of_release(body);
    if (probe == "metrics") generation_ = of_metrics(body);
  }

  // 1.x before 1.14 took ignore_eos on TensorRT-LLM only inside nvext, which 2.x has not.
  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    const bool needs_nvext = generation_ == Generation::one && prompt.output_mode == TKM_OUTPUT_EXACT;
    if (!needs_nvext) return OpenAiApis::encode(prompt, out);
    const std::string extra = with_nvext(tkm::view(prompt.extra));
    tkm_prompt changed = prompt;
    changed.extra = tkm::str(extra);
    OpenAiApis::encode(changed, out);
  }

 private:
  static std::string with_nvext(std::string_view extra) {
    tkm::JsonDocument root;
    const bool is_object = tkm::parse_json(extra, root) && root.IsObject();
    if (!extra.empty() && !is_object) return std::string(extra);  // refused by encode()
    if (is_object && tkm::find(root, "nvext") != nullptr) {
      throw tkm::input_error("extra sets \"nvext\", which an exact length needs: use output: at_most");
    }
    std::string text;
    tkm::JsonWriter json(text);
    json.begin_object().raw_members(extra).raw_member("nvext", R"({"ignore_eos":true})").end_object();
    return text;
  }

  Generation generation_ = Generation::unknown;
};

}  // namespace

TKM_MODULE("nim", "0.1.0", "Apache-2.0", tkm::processor<Nim>());

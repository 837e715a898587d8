#include "sim/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <tokometer/json.hpp>

namespace tokometer::sim {
namespace {

constexpr double kLongS[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                             30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
constexpr double kFirstS[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                              1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
constexpr double kGapS[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                            0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
constexpr double kTokens[] = {1,   2,    5,    10,   20,    50,    100,   200,
                              500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
constexpr double kStepTokens[] = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
constexpr double kChoices[] = {1, 2, 5, 10, 20};

// As Python prints a float: 3.0, 0.025, 1.7956e+09.
std::string number(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string out(text.data(), end);
  if (out.find_first_of(".en") == out.npos) out += ".0";
  return out;
}

void head(std::string& out, std::string_view name, std::string_view type) {
  out.append("# HELP ")
      .append(name)
      .append(" (simulated)\n# TYPE ")
      .append(name)
      .append(" ")
      .append(type)
      .append("\n");
}

void sample(std::string& out, std::string_view name, std::string_view labels, double value) {
  out.append(name).append("{").append(labels).append("} ").append(number(value)).append("\n");
}

void one(std::string& out, std::string_view type, const std::string& name, std::string_view labels,
         double value) {
  head(out, name, type);
  sample(out, name, labels, value);
}

}  // namespace

void Buckets::add(double value) {
  const auto at = std::lower_bound(edges_.begin(), edges_.end(), value);
  ++counts_[static_cast<size_t>(at - edges_.begin())];
  sum_ += value;
  ++count_;
}

void Buckets::render(std::string& out, std::string_view name, std::string_view labels) const {
  head(out, name, "histogram");
  const std::string bucket = std::string(name) + "_bucket";
  uint64_t below = 0;
  for (size_t at = 0; at < counts_.size(); ++at) {
    below += counts_[at];
    const std::string edge = at < edges_.size() ? number(edges_[at]) : "+Inf";
    sample(out, bucket, std::string(labels) + ",le=\"" + edge + "\"", static_cast<double>(below));
  }
  sample(out, std::string(name) + "_count", labels, static_cast<double>(count_));
  sample(out, std::string(name) + "_sum", labels, sum_);
}

Metrics::Metrics()
    : ttft(kFirstS),
      itl(kGapS),
      iteration_tokens(kStepTokens),
      e2e_(kLongS),
      queue_(kLongS),
      inference_(kLongS),
      prefill_(kLongS),
      decode_(kLongS),
      tpot_(kGapS),
      prompt_(kTokens),
      output_(kTokens),
      max_output_(kTokens),
      n_(kChoices),
      asked_(kTokens) {
  for (const char* reason : {"stop", "length", "abort", "error", "repetition"}) success_[reason] = 0;
}

void Metrics::finished(const Finished& request) {
  ++success_[std::string(request.reason)];
  e2e_.add(request.e2e);
  queue_.add(request.queue);
  inference_.add(request.prefill + request.decode);
  prefill_.add(request.prefill);
  decode_.add(request.decode);
  const uint64_t each = request.output / std::max<uint64_t>(request.choices, 1);
  tpot_.add(each > 1 ? request.decode / static_cast<double>(each - 1) : 0);
  prompt_.add(static_cast<double>(request.prompt));
  output_.add(static_cast<double>(request.output));
  max_output_.add(static_cast<double>(each));
  n_.add(static_cast<double>(request.choices));
  asked_.add(static_cast<double>(request.asked));
}

std::string Metrics::render(std::string_view model, const Gauges& gauges) const {
  std::string out;
  std::string name = "model_name=\"";
  tkm::append_json_escaped(name, model);
  name += '"';
  const std::string labels = "engine=\"0\"," + name;
  const auto count = [](uint64_t value) { return static_cast<double>(value); };
  one(out, "gauge", "vllm:num_requests_running", labels, count(gauges.running));
  one(out, "gauge", "vllm:num_requests_waiting", labels, count(gauges.waiting));
  one(out, "gauge", "vllm:kv_cache_usage_perc", labels, gauges.kv_usage);
  one(out, "counter", "vllm:prefix_cache_queries_total", labels, count(prefix_queries));
  one(out, "counter", "vllm:prefix_cache_hits_total", labels, count(prefix_hits));
  one(out, "counter", "vllm:num_preemptions_total", labels, count(gauges.preemptions));
  one(out, "counter", "vllm:prompt_tokens_total", labels, count(prompt_tokens));
  one(out, "counter", "vllm:prompt_tokens_cached_total", labels, count(cached_tokens));
  one(out, "counter", "vllm:generation_tokens_total", labels, count(generation_tokens));
  head(out, "vllm:request_success_total", "counter");
  for (const auto& [reason, total] : success_) {
    sample(out, "vllm:request_success_total", "engine=\"0\",finished_reason=\"" + reason + "\"," + name,
           count(total));
  }
  one(out, "counter", "vllm:admission_rejections_total", name + ",reason=\"max_num_queued_reqs\"",
      count(rejected));
  iteration_tokens.render(out, "vllm:iteration_tokens_total", labels);
  ttft.render(out, "vllm:time_to_first_token_seconds", labels);
  itl.render(out, "vllm:inter_token_latency_seconds", labels);
  tpot_.render(out, "vllm:request_time_per_output_token_seconds", labels);
  e2e_.render(out, "vllm:e2e_request_latency_seconds", labels);
  queue_.render(out, "vllm:request_queue_time_seconds", labels);
  inference_.render(out, "vllm:request_inference_time_seconds", labels);
  prefill_.render(out, "vllm:request_prefill_time_seconds", labels);
  decode_.render(out, "vllm:request_decode_time_seconds", labels);
  prompt_.render(out, "vllm:request_prompt_tokens", labels);
  output_.render(out, "vllm:request_generation_tokens", labels);
  max_output_.render(out, "vllm:request_max_num_generation_tokens", labels);
  n_.render(out, "vllm:request_params_n", labels);
  asked_.render(out, "vllm:request_params_max_tokens", labels);
  head(out, "http_requests_total", "counter");
  for (const auto& [which, total] : http) sample(out, "http_requests_total", which, count(total));
  return out;
}

}  // namespace tokometer::sim

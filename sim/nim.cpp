#include "sim/nim.hpp"

#include <tokometer/json.hpp>

#include "sim/tokens.hpp"

namespace tokometer::sim {
namespace {

Page json_page(std::string body, int status = 200) {
  return {.status = status, .media_type = "application/json", .body = std::move(body)};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// The names of 1.x, which are those of vLLM's time.
std::string first_generation(std::string page) {
  replace_all(page, "vllm:", "");
  replace_all(page, "kv_cache_usage_perc", "gpu_cache_usage_perc");
  replace_all(page, "inter_token_latency_seconds", "time_per_output_token_seconds");
  return page;
}

Page ready(bool starting) {
  if (starting) return json_page(R"({"error":{"message":"Service is not ready."}})", 503);
  return json_page(R"({"object":"health.response","message":"Service is ready."})");
}

}  // namespace

std::optional<Page> make_nim_page(const Request& request, const PageState& state) {
  const bool is_first = state.options.nim == "1.x";
  const std::string release = is_first ? "1.8.3" : "2.1.6";
  const std::string_view path = request.target;
  if (state.options.nim == "no" || request.method != "GET") return std::nullopt;
  if (path == "/metrics" || path == "/health" ||
      path == "/version")  // the engine's own are not passed through
    return json_page(R"({"detail":"Not Found"})", 404);
  if (path == "/v1/health/live")
    return json_page(R"({"object":"health.response","message":"Service is live."})");
  if (path == "/v1/health/ready") return ready(state.starting);
  if (path == "/v1/version") return json_page(R"({"release":")" + release + R"(","api":")" + release + "\"}");
  if (path == "/v1/metadata")
    return json_page(R"({"version":")" + release + R"(","profile_id":"0123abcd","profile_name":"sim-tp1"})");
  if (path != "/v1/metrics") return std::nullopt;
  const std::string page = state.metrics.render(state.options.model, state.gauges);
  return Page{.media_type = "text/plain; version=0.0.4; charset=utf-8",
              .body = is_first ? first_generation(page) : page};
}

void NimWriter::append_more(std::string& out, const Usage& usage) const {
  out.append(R"(,"stats":{"type":"NIM LLM Model Stats","version":"0.1.0","llm_input_token_length":)");
  append_number(out, usage.prompt);
  out.append(R"(,"llm_output_token_length":)");
  append_number(out, usage.completion);
  out.append(R"(,"generation_time_in_ms":800.0,"response_tokens":{"response_token_length":)");
  append_number(out, usage.completion);
  out.append(
      R"(,"time_to_first_token_in_ms":110.0,"token_to_token_time_in_ms":12.0,"tokens_per_second":80.0}})");
}

}  // namespace tokometer::sim

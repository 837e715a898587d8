// The style "vllm-bench": the 50-column block that people paste into issues. Whole phase, "from send" values
// and vLLM's own formulas; where a value does not exist it says n/a instead of 0.00.
#include "metrics/number_text.hpp"
#include "report/styles.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

constexpr size_t kWidth = 50, kValueColumn = 41;

std::string centred(std::string_view text, char fill) {
  const size_t rest = kWidth - text.size(), left = rest / 2;
  return std::string(left, fill).append(text).append(rest - left, fill) + "\n";
}

std::string row(std::string_view label, const std::string& value) {
  std::string line(label);
  line.append(kValueColumn > line.size() ? kValueColumn - line.size() : 1, ' ');
  return line + value + "\n";
}

std::string section(std::string_view title, const std::string& name, const VllmFigures::Row& figures) {
  const auto value = [&](double ms) { return figures.count == 0 ? std::string("n/a") : fixed(ms, 2); };
  return centred(title, '-') + row("Mean " + name + " (ms):", value(figures.mean_ms)) +
         row("Median " + name + " (ms):", value(figures.median_ms)) +
         row("P99 " + name + " (ms):", value(figures.p99_ms));
}

std::string block(const PhaseSummary& phase, bool with_goodput) {
  const VllmFigures& v = phase.vllm;
  const auto rate = [&](double sum) {
    return v.duration_s > 0 ? fixed(sum / v.duration_s, 2) : std::string("n/a");
  };
  std::string text = centred(" Serving Benchmark Result ", '=');
  text += row("Successful requests:", std::to_string(v.completed)) +
          row("Failed requests:", std::to_string(v.failed));
  if (!phase.plan.open_loop && phase.plan.users)
    text += row("Maximum request concurrency:", std::to_string(*phase.plan.users));
  else if (phase.plan.max_in_flight)
    text += row("Maximum request concurrency:", std::to_string(*phase.plan.max_in_flight));
  if (phase.plan.rate_per_s) text += row("Request rate configured (RPS):", fixed(*phase.plan.rate_per_s, 2));
  text += row("Benchmark duration (s):", fixed(v.duration_s, 2));
  text += row("Total input tokens:", std::to_string(v.input_tokens)) +
          row("Total generated tokens:", std::to_string(v.output_tokens));
  text += row("Request throughput (req/s):", rate(static_cast<double>(v.completed)));
  if (with_goodput) text += row("Request goodput (req/s):", rate(static_cast<double>(v.good)));
  text += row("Output token throughput (tok/s):", rate(static_cast<double>(v.output_tokens)));
  text += row("Peak output token throughput (tok/s):", fixed(v.peak_output_tokens_per_s, 2));
  text += row("Peak concurrent requests:", fixed(static_cast<double>(v.peak_concurrent), 2));
  text += row("Total token throughput (tok/s):", rate(static_cast<double>(v.input_tokens + v.output_tokens)));
  text += section("Time to First Token", "TTFT", v.ttft) +
          section("Time per Output Token (excl. 1st token)", "TPOT", v.tpot);
  text += section("Inter-token Latency", "ITL", v.itl) + section("End-to-end Latency", "E2EL", v.e2e);
  return text + std::string(kWidth, '=') + "\n";
}

}  // namespace

std::string render_vllm_bench(const Summary& summary, const ConsoleOptions& options) {
  if (summary.phases.empty()) return verdict_lines(summary, options);
  std::string text;
  for (const PhaseSummary& phase : summary.phases) {
    text +=
        block(phase, summary.manifest.slo_of(phase.workload).any()) + verdict_lines(summary, phase, options);
  }
  return text;
}

}  // namespace tokometer

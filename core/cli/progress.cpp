#include "cli/progress.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr int64_t kWindowNs = 5'000'000'000;
constexpr size_t kBarWidth = 24;
constexpr size_t kNameBytes = 40;
constexpr int64_t kMillisecond = 1'000'000;

std::string number(const char* format, double value) {
  char text[48];
  return std::string(text, static_cast<size_t>(std::snprintf(text, sizeof text, format, value)));
}

std::string seconds(int64_t ns) {
  return number("%.0f s", static_cast<double>(std::max<int64_t>(ns, 0)) * 1e-9);
}

std::string milliseconds(int64_t ns) {
  if (ns < 0) return "n/a";
  const double value = static_cast<double>(ns) * 1e-6;
  return number(value < 10 ? "%.1f ms" : "%.0f ms", value);
}

std::string rate(double per_s) {
  return number(per_s < 100 ? "%.1f" : "%.0f", per_s);
}

uint64_t sent_of(const Progress& p) {
  return p.ok + p.failed + p.cancelled + p.in_flight;
}

uint64_t sent_of(const WorkloadProgress& p) {
  return p.ok + p.failed + p.cancelled + p.in_flight;
}

std::vector<uint64_t> sent_of_workloads(const Progress& progress) {
  std::vector<uint64_t> sent;
  for (const WorkloadProgress& workload : progress.workloads) sent.push_back(sent_of(workload));
  return sent;
}

std::string counts_text(const WorkloadProgress& p) {
  return "ok " + std::to_string(p.ok) + "  failed " + std::to_string(p.failed) +
         (p.cancelled > 0 ? "  cancelled " + std::to_string(p.cancelled) : "");
}

// How much of the phase is done, 0 to 1; nothing where its end is not known.
std::optional<double> share_done(const Progress& p) {
  if (p.duration_ns && *p.duration_ns > 0) {
    return std::clamp(static_cast<double>(p.elapsed_ns) / static_cast<double>(*p.duration_ns), 0.0, 1.0);
  }
  if (!p.requests || *p.requests == 0) return std::nullopt;
  const auto done = static_cast<double>(p.ok + p.failed + p.cancelled);
  return std::clamp(done / static_cast<double>(*p.requests), 0.0, 1.0);
}

std::string bar(double share) {
  const auto full = static_cast<size_t>(share * static_cast<double>(kBarWidth));
  return "[" + std::string(full, '#') + std::string(kBarWidth - full, '.') + "]";
}

// "constant@4.77 (4 of 10)"
std::string name_text(const Progress& p) {
  std::string text = escape_terminal(p.phase, kNameBytes);
  if (p.point == 0) return text;
  return text + " (" + std::to_string(p.point) + (p.points > 0 ? " of " + std::to_string(p.points) : "") +
         ")";
}

std::string time_text(const Progress& p) {
  if (p.draining) return seconds(p.elapsed_ns) + ", draining";
  std::string text = seconds(p.elapsed_ns);
  if (p.duration_ns && p.elapsed_ns > *p.duration_ns) return text + ", cooling down";
  if (p.duration_ns)
    return text + " of " + seconds(*p.duration_ns) + ", " + seconds(*p.duration_ns - p.elapsed_ns) + " left";
  if (p.requests) text += ", " + std::to_string(*p.requests) + " requests";
  return text;
}

std::string ttft_text(const LiveFigures& live) {
  return "TTFT p50 " + milliseconds(live.ttft_p50_ns) + "  p99 " + milliseconds(live.ttft_p99_ns);
}

}  // namespace

Rates RateWindow::add(const Progress& progress) {
  if (progress.phase != phase_) points_.clear(), phase_ = progress.phase;
  points_.push_back(
      {progress.elapsed_ns, sent_of(progress), progress.live.output_tokens, sent_of_workloads(progress)});
  const Point& now = points_.back();  // stays where it is while the front is popped
  while (points_.size() > 2 && now.at_ns - points_.front().at_ns > kWindowNs) points_.pop_front();
  const Point& then = points_.front();
  if (now.at_ns <= then.at_ns) return {};
  const double elapsed_s = static_cast<double>(now.at_ns - then.at_ns) * 1e-9;
  const auto per_s = [elapsed_s](uint64_t a, uint64_t b) {
    return b > a ? static_cast<double>(b - a) / elapsed_s : 0.0;
  };
  Rates rates{per_s(then.sent, now.sent), per_s(then.tokens, now.tokens)};
  for (size_t i = 0; i < std::min(then.workload_sent.size(), now.workload_sent.size()); ++i)
    rates.workload_sent_per_s.push_back(per_s(then.workload_sent[i], now.workload_sent[i]));
  return rates;
}

Rates average_rates(const Progress& progress) {
  if (progress.elapsed_ns <= 0) return {};
  const double elapsed_s = static_cast<double>(progress.elapsed_ns) * 1e-9;
  Rates rates{static_cast<double>(sent_of(progress)) / elapsed_s,
              static_cast<double>(progress.live.output_tokens) / elapsed_s};
  for (const uint64_t sent : sent_of_workloads(progress))
    rates.workload_sent_per_s.push_back(static_cast<double>(sent) / elapsed_s);
  return rates;
}

std::vector<std::string> workload_lines(const Progress& p, const Rates& rates) {
  size_t longest = 0;
  std::vector<std::string> names, lines;
  for (const WorkloadProgress& workload : p.workloads) {
    names.push_back(escape_terminal(workload.name, kNameBytes));
    longest = std::max(longest, names.back().size());
  }
  for (size_t i = 0; i < p.workloads.size(); ++i) {
    const WorkloadProgress& workload = p.workloads[i];
    const double sent_per_s = i < rates.workload_sent_per_s.size() ? rates.workload_sent_per_s[i] : 0;
    names[i].resize(longest, ' ');
    lines.push_back("  " + names[i] + "  sent " + rate(sent_per_s) + "/s  on the wire " +
                    std::to_string(workload.in_flight) + "  " + counts_text(workload) + "  TTFT p50 " +
                    milliseconds(workload.ttft_p50_ns));
  }
  return lines;
}

std::vector<std::string> panel_lines(const Progress& p, const Rates& rates, size_t width) {
  const auto share = share_done(p);
  const double elapsed_s = static_cast<double>(p.elapsed_ns) * 1e-9;
  const double offered = elapsed_s > 0 ? static_cast<double>(p.planned) / elapsed_s : 0;
  std::vector<std::string> lines;
  lines.push_back(name_text(p) + " " + (share ? bar(*share) + " " : "") + time_text(p));
  lines.push_back("requests  offered " + rate(offered) + "/s  sent " + rate(rates.sent_per_s) +
                  "/s  on the wire " + std::to_string(p.in_flight) + "  ok " + std::to_string(p.ok) +
                  "  failed " + std::to_string(p.failed) +
                  (p.cancelled > 0 ? "  cancelled " + std::to_string(p.cancelled) : ""));
  lines.push_back("answers   " + ttft_text(p.live) + "  " + rate(rates.tokens_per_s) + " tok/s");
  for (std::string& line : workload_lines(p, rates)) lines.push_back(std::move(line));
  for (std::string& line : lines) line.resize(std::min(line.size(), width));
  return lines;
}

std::string progress_line(const Progress& p, const Rates& rates) {
  return name_text(p) + " " + time_text(p) + ": " + std::to_string(p.ok) + " ok, " +
         std::to_string(p.failed) + " failed, " + std::to_string(p.in_flight) + " on the wire, " +
         rate(rates.sent_per_s) + " req/s, " + ttft_text(p.live) + ", " + rate(rates.tokens_per_s) + " tok/s";
}

std::vector<std::string> state_lines(const RunState& state) {
  const LiveFigures& live = state.progress.live;
  std::vector<std::string> lines;
  lines.push_back("lag      scheduled to sent p99 " + milliseconds(live.schedule_lag_p99_ns) +
                  ", kernel to user p99 " + milliseconds(live.client_lag_p99_ns) + " in the last second");
  lines.push_back("queues   " + std::to_string(state.progress.held) + " requests held by max_in_flight, " +
                  std::to_string(state.samples_ready) + " samples read ahead, " +
                  std::to_string(state.lines_waiting) + " records not in the file yet");
  for (const InFlight& request : state.slowest) {
    lines.push_back("slowest  " + request.id + " of " + escape_terminal(request.phase, kNameBytes) + ": " +
                    std::string(request.stage) + " with " + std::to_string(request.events) +
                    " token events, " + format_duration(request.age_ns / kMillisecond * kMillisecond) +
                    " since its scheduled time");
  }
  if (state.silent_workers > 0)
    lines.push_back("slowest  " + std::to_string(state.silent_workers) + " I/O threads did not answer");
  return lines;
}

}  // namespace tokometer

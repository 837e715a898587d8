// The style "table": one set of lines per workload and measured phase. A line appears only when it has
// content.
#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "metrics/number_text.hpp"
#include "report/styles.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

std::string title(const Manifest& m) {
  std::string target =
      of_workloads(m, &Manifest::Workload::processor) + " at " + escape_terminal(m.target.url);
  if (!m.target.server.empty()) target += " (" + escape_terminal(m.target.server, 80) + ")";
  std::vector<std::string> models;
  for (const Manifest::Workload& workload : m.workloads) {
    const std::string& model = workload.model;
    const std::string shown = escape_terminal(model.substr(model.rfind('/') + 1), 80);
    if (std::find(models.begin(), models.end(), shown) == models.end()) models.push_back(shown);
  }
  return joined({"tokometer " + m.tool_version, m.name, target, joined(models, ", "),
                 "seed " + std::to_string(m.seed)}) +
         "\n";
}

std::string rate_text(const PhaseSummary& phase, std::string_view id) {
  const Scalar* scalar = phase.find_scalar(id);
  return scalar == nullptr ? "n/a" : fixed(scalar->number(), 2);
}

std::string load_line(const PhaseSummary& phase) {
  std::string text =
      "Load      " + std::string(phase.plan.open_loop ? "open, " : "closed, ") + phase.plan.load;
  text += "   offered " + rate_text(phase, "offered_rate") + "   sent " + rate_text(phase, "sent_rate") +
          "   completed " + rate_text(phase, "completed_rate") + " req/s";
  const Scalar* mean = phase.find_scalar("concurrency_wire");
  const Scalar* peak = phase.find_scalar("concurrency_wire_peak");
  if (mean != nullptr && peak != nullptr) {
    text += "   on the wire mean " + fixed(mean->number(), 1) + " peak " + fixed(peak->number(), 0);
  }
  return text + "\n";
}

std::string requests_line(const PhaseSummary& phase) {
  const auto n = [](uint64_t count) { return std::to_string(count); };
  const Counts& c = phase.counts;
  std::string text =
      "Requests  planned " + n(c.planned) + " = issued " + n(c.issued) + " + not issued " + n(c.not_issued);
  text += "      issued " + n(c.issued) + " = ok " + n(c.ok) + " + failed " + n(c.failed) + " + cancelled " +
          n(c.cancelled) + "\n";
  if (phase.unfinished != 0)
    text += "          " + n(phase.unfinished) + " more were issued and never ended: the run crashed\n";
  if (phase.ended_after_load != 0) {
    text += "          " + n(phase.ended_after_load) +
            " of the window ended under falling load, when nothing new was sent\n";
  }
  if (phase.sessions) {
    const SessionFigures& s = *phase.sessions;
    text += "Sessions  planned " + n(s.planned) + "   up to their last turn ok " + n(s.completed) +
            "   started in the window " + n(s.started) + " = " + fixed(s.started_per_s, 2) + " sessions/s\n";
  }
  return text;
}

std::string tokens_per_s(double value) {
  return fixed(value, value == 0 || value >= 100 ? 0 : 1) + " tok/s";
}

std::string throughput_line(const PhaseSummary& phase) {
  const auto rate = [&](const char* id) {
    const Scalar* scalar = phase.find_scalar(id);
    return scalar == nullptr ? 0 : scalar->number();
  };
  const double lost = rate("lost_tokens_per_s");
  if (phase.find_scalar("output_tokens_per_s") == nullptr) return {};
  if (phase.counts.ok == 0 && rate("total_tokens_per_s") == 0) {
    return "Throughput  n/a (0 ok)" + (lost > 0 ? std::string(kDot) + "lost " + tokens_per_s(lost) : "") +
           "\n";
  }
  std::string per_user;
  if (const Distribution* d = phase.find_metric("user_tokens_per_s")) {
    const auto shown = [&](const char* which) {
      return fixed(d->percentile(which), d->percentile(which) >= 1000 ? 0 : 1);
    };
    per_user = "per user p50 " + shown("p50") + " p5 " + shown("p5") + " tok/s";
  }
  return "Throughput  " +
         joined({"in " + tokens_per_s(rate("input_tokens_per_s")),
                 "out " + tokens_per_s(rate("output_tokens_per_s")),
                 "total " + tokens_per_s(rate("total_tokens_per_s")), "lost " + tokens_per_s(lost),
                 per_user}) +
         "\n";
}

// Offline load: a given number of requests as fast as the server takes them. It has no steady part that a
// window could show better than the whole.
bool is_offline(const PhaseSummary& phase) {
  return !phase.plan.duration_ns && (phase.plan.load == "throughput" || phase.closed_at_last_end);
}

std::string whole_line(const PhaseSummary& phase) {
  const Scalar* duration = phase.find_scalar("whole.duration");
  if (!is_offline(phase) || duration == nullptr) return {};
  const auto rate = [&](const char* name, const char* id) {
    const Scalar* scalar = phase.find_scalar(id);
    return scalar == nullptr ? "" : name + tokens_per_s(scalar->number());
  };
  return "Whole run   " +
         joined({std::to_string(phase.phase_counts.ok) + " ok in " + seconds_text(duration->number() * 1e9) +
                     " = " + rate_text(phase, "whole.completed_rate") + " req/s",
                 rate("in ", "whole.input_tokens_per_s"), rate("out ", "whole.output_tokens_per_s"),
                 rate("total ", "whole.total_tokens_per_s"), rate("lost ", "whole.lost_tokens_per_s")}) +
         "\n";
}

std::string mean_text(int64_t sum, uint64_t n) {
  const double mean = static_cast<double>(sum) / static_cast<double>(n);
  return fixed(mean, mean == std::round(mean) || mean >= 100 ? 0 : 1);
}

std::string tokens_line(const PhaseSummary& phase) {
  const TokenCounts& t = phase.ok_tokens;
  std::vector<std::string> parts;
  if (t.counted_prompt != 0) parts.push_back("in mean " + mean_text(t.prompt, t.counted_prompt));
  if (t.counted_output != 0) {
    parts.push_back("out mean " + mean_text(t.output, t.counted_output) +
                    (t.counted_asked != 0 ? " (asked " + mean_text(t.asked, t.counted_asked) + ")" : ""));
  }
  if (t.reasoning > 0) parts.push_back("reasoning mean " + mean_text(t.reasoning, t.requests));
  std::vector<std::string> sources;
  for (size_t i = 1; i < phase.sources.size(); ++i) {
    if (phase.sources[i] == 0) continue;
    sources.push_back(
        std::string(to_string(static_cast<TokenSource>(i))) + " " +
        percent_text(static_cast<double>(phase.sources[i]) / static_cast<double>(phase.counts.ok)));
  }
  if (!sources.empty())
    parts.push_back((sources.size() > 1 ? "mixed: counted by " : "counted by ") + joined(sources, ", "));
  return parts.empty() ? "" : "Tokens      " + joined(parts) + "\n";
}

std::string limit_text(double ns) {
  const double ms = ns / 1e6;
  return fixed(ms, ms == std::round(ms) ? 0 : 2) + " ms";
}

std::string goodput_text(const PhaseSummary& phase, const Manifest::Slo& slo) {
  const Scalar* ratio = phase.find_scalar("goodput_ratio");
  if (ratio == nullptr) return {};
  std::vector<std::string> limits;
  const std::pair<const char*, const std::optional<int64_t>&> all[] = {
      {"ttft ", slo.ttft_ns}, {"tpot ", slo.tpot_ns}, {"e2e ", slo.e2e_ns}, {"itl.p99 ", slo.itl_p99_ns}};
  for (const auto& [name, limit] : all) {
    if (limit) limits.push_back(name + limit_text(static_cast<double>(*limit)));
  }
  return std::to_string(phase.good) + " of " + std::to_string(phase.counts.planned) + " (" +
         percent_text(ratio->number()) + ") meet " + joined(limits, ", ");
}

std::string gate_value(const GateResult& gate) {
  if (gate.needs_n != 0)
    return "needs " + std::to_string(gate.needs_n) + " requests, has " + std::to_string(gate.n);
  if (!gate.value) return "n/a";
  if (gate.unit == "ns") return milliseconds_text(*gate.value);
  if (gate.unit == "ratio") return percent_text(*gate.value);
  return fixed(*gate.value, std::abs(*gate.value) >= 100 ? 0 : 3);
}

std::string goodput_lines(const PhaseSummary& phase, const Manifest& manifest) {
  const std::string goodput = goodput_text(phase, manifest.slo_of(phase.workload));
  std::string gates, failed;
  if (!phase.gates.empty()) {
    uint64_t hold = 0;
    for (const GateResult& gate : phase.gates) {
      hold += gate.holds;
      if (!gate.holds || gate.needs_n != 0) {
        failed += "            " + std::string(gate.holds ? "not sure: " : "fails: ") +
                  escape_terminal(gate.text) + "   (" + gate_value(gate) + ")\n";
      }
    }
    gates = std::to_string(hold) + " of " + std::to_string(phase.gates.size()) + " hold";
  }
  if (goodput.empty() && gates.empty()) return {};
  if (goodput.empty()) return "Gates       " + gates + "\n" + failed;
  return "Goodput     " + goodput + (gates.empty() ? "" : "      Gates  " + gates) + "\n" + failed;
}

bool is_users_choice(const ErrorRow& row) {
  return row.status == "cancelled" && row.cls == "user";
}

std::string left_line(const PhaseSummary& phase) {
  const auto row = std::find_if(phase.errors.begin(), phase.errors.end(), is_users_choice);
  if (row == phase.errors.end()) return {};
  return "Users left  " + std::to_string(row->count) + " of " + std::to_string(phase.counts.planned) + " (" +
         percent_text(row->share) + "), as request.cancel asks: neither ok nor failed\n";
}

std::string errors_line(const PhaseSummary& phase) {
  constexpr size_t kMost = 8, kMessageBytes = 80;
  std::vector<std::string> parts;
  size_t left = phase.errors.size();
  for (const ErrorRow& error : phase.errors) {
    if (parts.size() == kMost) {
      parts.push_back(std::to_string(left) + " more classes");
      break;
    }
    --left;
    if (is_users_choice(error)) continue;
    const std::string name =
        error.status == "failed" ? error.cls : error.status + (error.cls.empty() ? "" : "." + error.cls);
    std::string part = std::to_string(error.count) + " " + escape_terminal(name, kMessageBytes);
    if (!error.message.empty()) part += " \"" + escape_terminal(error.message, kMessageBytes) + "\"";
    parts.push_back(std::move(part));
  }
  return parts.empty() ? "" : "Errors      " + joined(parts) + "\n";
}

// What the client itself took from its host.
std::string client_use(const PhaseSummary& phase, int cores) {
  constexpr double kMegabyte = 1e6;
  if (!phase.has_client) return {};
  std::vector<std::string> parts;
  if (phase.cpu_ns > 0) {
    parts.push_back("CPU " + seconds_text(static_cast<double>(phase.cpu_ns)) + " = " +
                    fixed(phase.cores_used(), 2) + " of " +
                    (cores > 0 ? std::to_string(cores) + (cores == 1 ? " core" : " cores") : "a core"));
  }
  parts.push_back("busiest I/O thread " + fixed(phase.busiest_thread * 100, 0) + " %");
  if (phase.rss_peak_bytes > 0) {
    parts.push_back("memory " + fixed(static_cast<double>(phase.rss_peak_bytes) / kMegabyte, 0) + " MB");
  }
  return joined(parts);
}

std::string client_lines(const PhaseSummary& phase, int cores) {
  std::vector<std::string> parts;
  const auto lag = [&](const char* metric, const std::string& name) {
    const Distribution* d = phase.find_metric(metric);
    if (d != nullptr && d->count != 0) parts.push_back(name + milliseconds_text(d->percentile("p99")));
  };
  lag("schedule_lag", "schedule lag p99 ");
  if (phase.has_client) {
    lag("client_lag", "client lag p99 ");
    parts.push_back("coalesced " + percent_text(phase.coalesced_share));
    const double kernel = phase.kernel_stamp_share;
    parts.push_back(kernel == 1   ? "stamps kernel"
                    : kernel == 0 ? "stamps user"
                                  : "stamps kernel " + percent_text(kernel));
  }
  if (parts.empty()) return {};
  const std::string use = client_use(phase, cores);
  return "Client      " + joined(parts) + "\n" + (use.empty() ? "" : "            " + use + "\n");
}

std::string phase_lines(const Summary& summary, const PhaseSummary& phase) {
  const std::string errors = errors_line(phase);
  std::string text = whole_line(phase) + load_line(phase) + requests_line(phase);
  if (phase.counts.ok == 0) text += errors;  // what went wrong comes first
  text += latency_table(phase) + turns_table(phase) + route_table(phase) + throughput_line(phase) +
          tokens_line(phase);
  text += goodput_lines(phase, summary.manifest);
  text += left_line(phase);
  if (phase.counts.ok != 0) text += errors;
  if (!summary.manifest.target.tls_verify)
    text += "TLS         the server's certificate was NOT verified (target.tls.verify: false)\n";
  return text + client_lines(phase, summary.manifest.host.cores);
}

// Results differ by the rows that were used, so the reader is told.
std::string data_lines(const Summary& summary) {
  std::string text;
  for (const WarnLine& warning : summary.warnings) {
    if (warning.id.starts_with("rows_")) text += "Data        " + escape_terminal(warning.text) + "\n";
  }
  return text;
}

}  // namespace

std::string render_table(const Summary& summary, const ConsoleOptions& options) {
  std::string text = title(summary.manifest);
  const bool as_rows = summary.sweep && options.point.empty();
  if (as_rows || (summary.phases.size() != 1 && options.point.empty()))
    text += verdict_lines(summary, options);
  if (as_rows) text += render_sweep(summary);
  for (const PhaseSummary& phase : summary.phases) {
    if (as_rows || (!options.point.empty() && phase.phase != options.point)) continue;
    text += verdict_lines(summary, phase, options) + phase_lines(summary, phase);
  }
  text += data_lines(summary);
  if (!options.directory.empty()) {
    text += "Wrote " + options.directory + (options.directory.back() == '/' ? "" : "/") + "   " +
            escape_terminal(summary.manifest.command) + "   " +
            seconds_text(static_cast<double>(summary.end_ns)) + "\n";
  }
  return text;
}

}  // namespace tokometer

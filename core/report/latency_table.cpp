// The table of latencies in the style "table".
#include <algorithm>
#include <array>
#include <map>

#include "metrics/number_text.hpp"
#include "report/styles.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

constexpr size_t kMeanEnd = 28, kFirstEnd = 36, kColumn = 8, kMaxEnd = 70, kTailBegin = 73;
constexpr std::array<std::string_view, 4> kShown{"p50", "p90", "p95", "p99"};

int decimals_for(double ms) {
  return ms >= 10 ? 1 : ms >= 1 ? 2 : 3;
}

// The latency table, which remembers what its marks have to say.
class LatencyTable {
 public:
  explicit LatencyTable(const PhaseSummary& phase) : phase_(phase) {}

  std::string render() {
    if (phase_.counts.ok == 0) return "Latency     n/a (0 ok)\n";
    Line head("Latency, ms (" + std::to_string(phase_.counts.ok) + " ok)");
    head.right("mean", kMeanEnd);
    for (size_t i = 0; i < kShown.size(); ++i) head.right(kShown[i], kFirstEnd + i * kColumn);
    head.right("max", kMaxEnd);
    text_ = std::move(head).end();
    const bool open = phase_.plan.open_loop;
    headline("TTFT", "ttft", open);
    if (reasoning_seen())
      row(open ? "TTFA from schedule" : "TTFA from send", open ? "ttfa_sched" : "ttfa_sent", false);
    row("TPOT", "tpot", false);
    row("ITL (event gap)", "itl", false);
    if (phase_.mean_tokens_per_event > 1.05)
      row("ITL per token", "itl_per_token", false, "mean k " + fixed(phase_.mean_tokens_per_event, 2));
    const char* e2e = open ? "e2e_sched" : "e2e_sent";
    row(open ? "E2E from schedule" : "E2E from send", e2e,
        phase_.find_metric("ttft_sched") == nullptr || !shown_);
    adjusted(e2e);
    return text_ + notes();
  }

 private:
  bool reasoning_seen() const { return phase_.ok_tokens.reasoning > 0; }

  // The loop's own basis first, with its adjusted values and interval, then the other.
  void headline(const std::string& name, const std::string& metric, bool from_schedule) {
    const std::string first = metric + (from_schedule ? "_sched" : "_sent"),
                      second = metric + (from_schedule ? "_sent" : "_sched");
    row(name + (from_schedule ? " from schedule" : " from send"), first, true);
    adjusted(first);
    row(name + (from_schedule ? " from send" : " from schedule"), second, false);
  }

  void row(std::string_view label, std::string_view metric, bool interval, const std::string& tail = {}) {
    const Distribution* d = phase_.find_metric(metric);
    if (d == nullptr || d->count == 0) return;
    const int decimals = decimals_for(d->percentile("p50") / 1e6);
    Line line(label);
    line.right(fixed(d->mean / 1e6, decimals), kMeanEnd);
    for (size_t i = 0; i < kShown.size(); ++i) {
      line.right(fixed(d->percentile(kShown[i]) / 1e6, decimals), kFirstEnd + i * kColumn);
      if (mark(*d, kShown[i])) line.add("*");
    }
    line.right(fixed(d->max / 1e6, decimals), kMaxEnd);
    const auto& ci = d->ci95[*percentile_index("p99")];
    if (interval && ci) line.left("p99 95 % CI " + interval_text(*ci), kTailBegin);
    if (!tail.empty()) line.left(tail, kTailBegin);
    text_ += std::move(line).end();
    shown_ = true;
  }

  // One digit less than the values, unless the ends then look equal.
  static std::string interval_text(const std::pair<double, double>& ci) {
    const int fine = decimals_for(ci.second / 1e6);
    const int decimals =
        fixed(ci.first / 1e6, fine - 1) == fixed(ci.second / 1e6, fine - 1) ? fine : fine - 1;
    return fixed(ci.first / 1e6, decimals) + "-" + fixed(ci.second / 1e6, decimals);
  }

  void adjusted(std::string_view metric) {
    const Distribution* d = phase_.find_metric(metric);
    if (d == nullptr || d->count == 0 || !d->adjusted) return;
    const int decimals = decimals_for(d->percentile("p50") / 1e6);
    const auto cell = [&](const Adjusted& a) {
      if (a.kind == Adjusted::Kind::infinite) return std::string("+inf");
      return (a.kind == Adjusted::Kind::at_least ? ">=" : "") + fixed(a.value / 1e6, decimals);
    };
    Line line("     adjusted");
    for (size_t i = 0; i < kShown.size(); ++i) {
      line.right(cell((*d->adjusted)[*percentile_index(kShown[i])]), kFirstEnd + i * kColumn);
    }
    line.right(cell(*d->adjusted_max), kMaxEnd);
    text_ += std::move(line).end();
  }

  bool mark(const Distribution& d, std::string_view which) {
    const size_t index = *percentile_index(which);
    if (!d.below_smallest_n(index)) return false;
    needed_[index] = kPercentiles[index].smallest_n;
    return true;
  }

  std::string notes() const {
    if (needed_.empty()) return {};
    std::vector<std::string> parts;
    for (const auto& [index, n] : needed_)
      parts.push_back(std::string(kPercentiles[index].id) + " needs " + std::to_string(n));
    return "     * too few requests: " + joined(parts, ", ") + "\n";
  }

  const PhaseSummary& phase_;
  std::string text_;
  std::map<size_t, uint64_t> needed_;
  bool shown_ = false;
};

}  // namespace

std::string latency_table(const PhaseSummary& phase) {
  return LatencyTable(phase).render();
}

namespace {

std::string turn_name(const SessionFigures::Turn& turn) {
  const bool and_later = turn.turn + 1 == SessionFigures::kMostTurns;
  return "     turn " + std::to_string(turn.turn + 1) + (and_later ? " and later" : "");
}

std::string turn_line(const SessionFigures::Turn& turn, std::string_view metric) {
  Line line(turn_name(turn));
  const auto found = std::find_if(turn.metrics.begin(), turn.metrics.end(),
                                  [&](const Distribution& d) { return d.id == metric; });
  if (found != turn.metrics.end()) {
    const int decimals = decimals_for(found->percentile("p50") / 1e6);
    line.right(fixed(found->mean / 1e6, decimals), kMeanEnd);
    for (size_t i = 0; i < kShown.size(); ++i) {
      line.right(fixed(found->percentile(kShown[i]) / 1e6, decimals), kFirstEnd + i * kColumn);
    }
    line.right(fixed(found->max / 1e6, decimals), kMaxEnd);
  }
  line.left(std::to_string(turn.ok) + " of " + std::to_string(turn.planned) + " ok", kTailBegin);
  return std::move(line).end();
}

}  // namespace

std::string turns_table(const PhaseSummary& phase) {
  constexpr size_t kMostLines = 10;
  if (!phase.sessions || phase.sessions->turns.size() < 2) return {};
  const bool open = phase.plan.open_loop;
  const auto& turns = phase.sessions->turns;
  std::string text = open ? "TTFT from schedule, by turn\n" : "TTFT from send, by turn\n";
  for (size_t i = 0; i < std::min(turns.size(), kMostLines); ++i) {
    text += turn_line(turns[i], open ? "ttft_sched" : "ttft_sent");
  }
  if (turns.size() > kMostLines) text += "     later turns stand in summary.json\n";
  return text;
}

}  // namespace tokometer

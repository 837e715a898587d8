#include "metrics/gate.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "metrics/catalogue.hpp"
#include "metrics/request_rows.hpp"
#include "metrics/statistics.hpp"

namespace tokometer {
namespace {

constexpr std::string_view kBlank = " \t";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Error fault(std::string_view gate, const std::string& text) {
  return Error{"gate \"" + escape_terminal(gate) + "\": " + text};
}

std::string hint(std::string_view word, const std::vector<std::string>& names) {
  const auto near = nearest_name(word, names);
  return near ? "; did you mean \"" + *near + "\"?" : "";
}

std::vector<std::string> statistic_names() {
  std::vector<std::string> names{"mean", "stddev", "min", "max", "count"};
  for (const PercentileName& p : kPercentiles) names.emplace_back(p.id);
  return names;
}

// Longest first, so that "<=" is not read as "<".
constexpr std::array<std::pair<std::string_view, Gate::Relation>, 4> kRelations{
    {{"<=", Gate::Relation::at_most},
     {">=", Gate::Relation::at_least},
     {"<", Gate::Relation::less},
     {">", Gate::Relation::greater}}};

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> parse_limit(std::string_view text, std::string_view unit) {
  if (unit == "ns") {
    const auto duration = parse_duration_ns(text);
    return duration ? std::optional<double>(static_cast<double>(*duration)) : std::nullopt;
  }
  if (unit == "s") {
    const auto duration = parse_duration_ns(text);
    return duration ? std::optional<double>(static_cast<double>(*duration) / 1e9) : std::nullopt;
  }
  if (unit == "ratio" && !text.empty() && text.back() == '%') {
    const auto percent = parse_number(trim(text.substr(0, text.size() - 1)));
    return percent ? std::optional<double>(*percent / 100) : std::nullopt;
  }
  return parse_number(text);
}

std::string unit_hint(std::string_view unit) {
  if (unit == "ns" || unit == "s") return "a duration such as 500ms";
  if (unit == "ratio") return "a ratio such as 95% or 0.95";
  return "a plain number";
}

// Splits "ttft.adjusted.p99" and checks each part. `statistics`: what a distribution offers.
Result<Gate> parse_metric(std::string_view gate_text, std::string_view name) {
  Gate gate;
  if (find_scalar_info(name) != nullptr) {
    gate.metric = name;
    return gate;
  }
  const size_t dot = name.find('.');
  const std::string_view metric = name.substr(0, dot);
  gate.metric = full_metric_id(metric);
  if (find_distribution_info(gate.metric) == nullptr) {
    const std::vector<std::string> names = metric_names();
    const std::string help = hint(name, names);
    return fault(gate_text, "unknown metric \"" + escape_terminal(name) + "\"" +
                                (help.empty() ? hint(metric, names) : help));
  }
  std::string_view statistic = dot == name.npos ? std::string_view{} : name.substr(dot + 1);
  constexpr std::string_view kAdjusted = "adjusted.";
  if (statistic.substr(0, kAdjusted.size()) == kAdjusted) {
    gate.adjusted = true;
    statistic.remove_prefix(kAdjusted.size());
  }
  const std::vector<std::string> names = statistic_names();
  if (statistic.empty()) {
    return fault(gate_text, "\"" + std::string(metric) + "\" needs a statistic, as in \"" +
                                std::string(metric) + ".p99\"");
  }
  if (std::find(names.begin(), names.end(), statistic) == names.end()) {
    return fault(gate_text,
                 "unknown statistic \"" + escape_terminal(statistic) + "\"" + hint(statistic, names));
  }
  if (gate.adjusted && !percentile_index(statistic))
    return fault(gate_text, "only percentiles exist as adjusted values");
  gate.statistic = statistic;
  return gate;
}

std::string_view unit_of(const Gate& gate) {
  if (gate.statistic == "count") return "count";
  const MetricInfo* info = find_scalar_info(gate.metric);
  return info != nullptr ? info->unit : find_distribution_info(gate.metric)->unit;
}

bool compare(Gate::Relation relation, double value, double limit) {
  switch (relation) {
    case Gate::Relation::less:
      return value < limit;
    case Gate::Relation::at_most:
      return value <= limit;
    case Gate::Relation::greater:
      return value > limit;
    case Gate::Relation::at_least:
      return value >= limit;
  }
  return false;
}

std::optional<double> statistic_of(const Distribution& d, const std::string& statistic) {
  if (statistic == "count") return static_cast<double>(d.count);
  if (d.count == 0) return std::nullopt;
  if (statistic == "mean") return d.mean;
  if (statistic == "stddev") return d.stddev;
  if (statistic == "min") return d.min;
  if (statistic == "max") return d.max;
  return d.percentile(statistic);
}

bool wants_less(const Gate& gate) {
  return gate.relation == Gate::Relation::less || gate.relation == Gate::Relation::at_most;
}

// "At least x" can break an upper limit, but never prove that it holds.
void evaluate_adjusted(const Gate& gate, const Adjusted& value, GateResult& result) {
  if (value.kind == Adjusted::Kind::infinite) {
    result.holds = !wants_less(gate);
    return;
  }
  result.value = value.value;
  if (value.kind == Adjusted::Kind::at_least && wants_less(gate)) return;
  result.holds = compare(gate.relation, value.value, gate.limit);
}

using Getter = int64_t (RequestRows::*)(size_t) const;
Getter getter_of(std::string_view metric) {
  if (metric == "ttft_sched") return &RequestRows::ttft_sched;
  if (metric == "ttft_sent") return &RequestRows::ttft_sent;
  if (metric == "e2e_sched") return &RequestRows::e2e_sched;
  if (metric == "e2e_sent") return &RequestRows::e2e_sent;
  return metric == "tpot" ? &RequestRows::tpot : nullptr;
}

// MLPerf's early stopping: with t requests over the limit, P(Binomial(n, 1 - p) <= t) must be at most 1 %.
bool early_stopping_holds(const Gate& gate, uint32_t per_mille, const RequestRows& rows) {
  const Getter value = getter_of(gate.metric);
  if (value == nullptr || !wants_less(gate)) return true;
  uint64_t n = 0, over = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (!rows.in_window(row)) continue;
    const int64_t ns = (rows.*value)(row);
    if (rows.ok(row) && ns == kAbsent) continue;
    ++n;
    over += !rows.ok(row) || !compare(gate.relation, static_cast<double>(ns), gate.limit);
  }
  return binomial_cdf(over, n, 1 - per_mille / 1000.0) <= 0.01;
}

}  // namespace

Result<Gate> parse_gate(std::string_view text) {
  const size_t at = text.find_first_of("<>=");
  if (at == text.npos)
    return fault(text, "write it as \"ttft.p99 < 500ms\": a metric, one of < <= > >=, a limit");
  for (const auto& [sign, relation] : kRelations) {
    if (text.substr(at, sign.size()) != sign) continue;
    auto gate = parse_metric(text, trim(text.substr(0, at)));
    if (!gate) return gate;
    const std::string_view unit = unit_of(*gate);
    const std::string_view limit = trim(text.substr(at + sign.size()));
    const auto value = parse_limit(limit, unit);
    if (!value)
      return fault(text,
                   "the limit must be " + unit_hint(unit) + " (got \"" + escape_terminal(limit) + "\")");
    gate->text = text, gate->relation = relation, gate->limit = *value;
    return gate;
  }
  return fault(text, "use one of < <= > >=");
}

GateResult evaluate(const Gate& gate, const PhaseSummary& phase) {
  GateResult result;
  result.text = gate.text;
  result.unit = unit_of(gate);
  if (gate.statistic.empty()) {
    const Scalar* scalar = phase.find_scalar(gate.metric);
    if (scalar == nullptr) return result;
    result.value = scalar->number();
    result.holds = compare(gate.relation, *result.value, gate.limit);
    return result;
  }
  const Distribution* d = phase.find_metric(gate.metric);
  const auto index = percentile_index(gate.statistic);
  if (d != nullptr) result.n = gate.adjusted && d->adjusted ? d->adjusted_count : d->count;
  if (index && (d == nullptr || (!d->pooled && result.n < kPercentiles[*index].smallest_n))) {
    result.needs_n = kPercentiles[*index].smallest_n;
  }
  if (d == nullptr) return result;
  if (gate.adjusted && d->adjusted) {
    evaluate_adjusted(gate, (*d->adjusted)[*index], result);
    return result;
  }
  result.value = statistic_of(*d, gate.statistic);
  result.holds = result.value && compare(gate.relation, *result.value, gate.limit);
  return result;
}

std::vector<GateResult> evaluate_gates(const Manifest& manifest, const PhaseSummary& phase,
                                       const RequestRows& rows) {
  std::vector<GateResult> results;
  for (const std::string& text : manifest.gates_of(phase.workload)) {
    const auto gate = parse_gate(text);
    if (!gate) {  // the run file's reader refuses such a gate; a manifest edited by hand may still have one
      results.emplace_back().text = text;
      continue;
    }
    GateResult result = evaluate(*gate, phase);
    const auto index = percentile_index(gate->statistic);
    if (manifest.mlperf && index && result.holds) {
      result.holds = early_stopping_holds(*gate, kPercentiles[*index].per_mille, rows);
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace tokometer

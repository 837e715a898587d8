// "ttft.p99 < 500ms" -> a test on a phase's summary. The run file's reader parses gates before a run, so that
// a typing error costs nothing; the reducer evaluates them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "metrics/summary.hpp"

namespace tokometer {

class RequestRows;

struct Gate {
  enum class Relation { less, at_most, greater, at_least };
  std::string text;       // as written
  std::string metric;     // full id: "ttft_sched"
  std::string statistic;  // "p99", "mean", ...; empty for a plain number
  bool adjusted = false;  // "ttft.adjusted.p99"
  Relation relation = Relation::less;
  double limit = 0;  // in the metric's unit: ns, 1/s, ratio, count
};

// METRIC[.STATISTIC] RELATION VALUE. The message names what is wrong and the nearest name.
Result<Gate> parse_gate(std::string_view text);

// One gate against one phase, from the finished metrics and scalars. `mlperf`: see evaluate_gates.
GateResult evaluate(const Gate& gate, const PhaseSummary& phase);

// All gates of the phase's workload. With the mlperf preset a percentile gate holds only if the count of
// requests over the limit is small enough to be 99 % sure (early stopping), for which the rows are needed.
std::vector<GateResult> evaluate_gates(const Manifest& manifest, const PhaseSummary& phase,
                                       const RequestRows& rows);

}  // namespace tokometer

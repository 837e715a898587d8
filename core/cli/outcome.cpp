#include "cli/outcome.hpp"

#include <algorithm>
#include <csignal>

#include "cli/input.hpp"

namespace tokometer {
namespace {

int signal_of(std::string_view end_reason) {
  if (end_reason == "signal.INT") return SIGINT;
  if (end_reason == "signal.TERM") return SIGTERM;
  if (end_reason == "signal.HUP") return SIGHUP;
  return 0;
}

}  // namespace

int exit_code(const Outcome& outcome, bool strict) {
  if (outcome.records_incomplete) return kIncomplete;
  if (outcome.stopped_by != 0) return 128 + outcome.stopped_by;
  if (outcome.verdict == Grade::invalid || (strict && outcome.verdict == Grade::suspect)) return kInvalid;
  return outcome.gate_failed ? kGateFailed : kFinished;
}

Outcome outcome_of(const Summary& summary) {
  Outcome outcome;
  outcome.records_incomplete =
      summary.end_reason == "disk" || summary.records.damaged + summary.records.missing > 0;
  outcome.stopped_by = signal_of(summary.end_reason);
  outcome.verdict = summary.verdict;
  const auto fails = [](const PhaseSummary& phase) { return !phase.gates_hold(); };
  if (summary.sweep) {  // looks for the load that is too much: one point that holds is enough
    outcome.gate_failed = summary.manifest.has_gates() && !summary.sweep->best;
  } else {
    outcome.gate_failed = std::any_of(summary.phases.begin(), summary.phases.end(), fails);
  }
  return outcome;
}

}  // namespace tokometer

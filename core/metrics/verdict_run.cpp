// V1, V2 and V16 of the whole run: did it end in order, and are all requests accounted for by two counters?
#include <algorithm>

#include "metrics/check.hpp"
#include "metrics/verdict.hpp"

namespace tokometer {
namespace {

bool law_holds(uint64_t planned, uint64_t issued, uint64_t not_issued, uint64_t ok, uint64_t failed,
               uint64_t cancelled) {
  return planned == issued + not_issued && issued == ok + failed + cancelled;
}

std::string place(const std::string& workload, const std::string& phase) {
  return workload + "/" + phase;
}

// The first disagreement between lines and counters, as a sentence; empty: they agree.
std::string mismatch_of(const PhaseScan& scan, const PhaseTotals& t) {
  const struct {
    const char* name;
    uint64_t lines, counted;
  } pairs[] = {{"planned", scan.counts.planned, t.planned},
               {"issued", scan.counts.issued, t.issued},
               {"not issued", scan.counts.not_issued, t.not_issued},
               {"ok", scan.counts.ok, t.ok},
               {"failed", scan.counts.failed, t.failed},
               {"cancelled", scan.counts.cancelled, t.cancelled}};
  for (const auto& pair : pairs) {
    if (pair.lines == pair.counted) continue;
    return place(scan.workload, scan.phase) + " " + pair.name + ": " + std::to_string(pair.lines) +
           " in the records, " + std::to_string(pair.counted) + " counted by the workers";
  }
  if (!law_holds(t.planned, t.issued, t.not_issued, t.ok, t.failed, t.cancelled)) {
    return place(scan.workload, scan.phase) + ": planned " + std::to_string(t.planned) + ", issued " +
           std::to_string(t.issued) + ", not issued " + std::to_string(t.not_issued) + ", ended " +
           std::to_string(t.ok + t.failed + t.cancelled);
  }
  return {};
}

std::string accounting_fault(const WindowPass& pass, const std::vector<std::unique_ptr<PhaseScan>>& scans,
                             const ReadReport& records) {
  if (records.missing + records.damaged != 0) {
    return counted(records.missing, "record line", "missing, ") + std::to_string(records.damaged) +
           " of them damaged";
  }
  if (!pass.has_end()) return {};  // a crash: V1; the counters of its last moment died with it
  if (const uint64_t holes = pass.missing_sequence_numbers())
    return counted(holes, "request number", "missing or twice");
  for (const auto& scan : scans) {
    const PhaseTotals* t = find_totals(pass.counters(), scan->workload, scan->phase);
    if (t == nullptr) return place(scan->workload, scan->phase) + ": in the records, unknown to the workers";
    if (const std::string text = mismatch_of(*scan, *t); !text.empty()) return text;
  }
  for (const PhaseTotals& t : pass.counters()) {
    const bool known = std::any_of(scans.begin(), scans.end(), [&](const auto& scan) {
      return scan->workload == t.workload && scan->phase == t.phase;
    });
    if (!known && t.planned != 0)
      return place(t.workload, t.phase) + ": " + std::to_string(t.planned) + " planned, none in the records";
  }
  return {};
}

Check judge_end(const Summary& s) {
  const std::string& reason = s.end_reason;
  Grade grade = Grade::suspect;
  std::string advice = "stopped early: the numbers cover what ran";
  if (reason == "finished") {
    grade = Grade::valid;
  } else if (reason == "crashed") {
    grade = Grade::invalid;
    advice = "the run has no end line; look at stderr of that run";
  } else if (reason == "deadlock") {
    grade = Grade::invalid;
    advice = "the load pattern waits for ever with nothing active";
  } else if (reason == "dataset") {
    grade = Grade::invalid;
    advice = "the dataset failed during the run: it could not be read, or it had too few records";
  } else if (reason == "saturated") {
    advice = "stopped early: the rate is above what the server can do, so lower it";
  } else if (s.totals.planned == 0) {
    grade = Grade::invalid;
  }
  return check("V1", "run", grade, reason, "", "", advice);
}

}  // namespace

std::vector<Check> judge_run(const Summary& summary, const WindowPass& pass) {
  std::vector<Check> checks{judge_end(summary)};
  const std::string fault = accounting_fault(pass, pass.scans(), summary.records);
  checks.push_back(check("V2", "accounting", fault.empty() ? Grade::valid : Grade::invalid,
                         fault.empty() ? "all requests accounted for" : fault, "", "",
                         "this run lost track of requests: do not use it"));
  const uint64_t lost = summary.records.missing + summary.records.damaged;
  if (lost != 0) {
    checks.push_back(check("V16", "records", Grade::invalid, counted(lost, "record line", "lost"), ">", "0",
                           "tokometer verify shows which"));
  }
  return checks;
}

}  // namespace tokometer

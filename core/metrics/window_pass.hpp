// The first pass over the records: which requests each phase had, by the lines and by the run's own counters,
// and where its measure window lies. Private to core/metrics; summary.cpp runs it, then the measure pass.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metrics/load_series.hpp"
#include "metrics/record_log.hpp"
#include "metrics/summary.hpp"
#include "metrics/token_walk.hpp"

namespace tokometer {

struct PhaseScan {
  std::string workload, phase;
  bool has_begin = false;
  PhaseLine plan;
  int64_t load_end_ns = kAbsent, end_ns = kAbsent;
  Counts counts;  // by the request lines
  bool has_sessions = false;
  uint64_t order_breaches = 0;  // requests whose instants run backwards
  int64_t first_s_ns = kAbsent, last_s_ns = kAbsent, first_x_ns = kAbsent, last_e_ns = kAbsent;
  // S and E - S of the earliest requests: how long the first answers took. Ordered by S.
  std::vector<std::pair<int64_t, int64_t>> earliest;
  std::vector<int64_t> starts;         // every S, only where a count needs it; emptied after the pass
  std::unique_ptr<LoadSeries> series;  // measured phases only

  // Filled by place_windows:
  int64_t w0_ns = 0, w1_ns = 0;
  Window warmup = Window::none;
  bool closed_at_last_end = false;
  bool settled = true;      // a cut in the first half was as good as any
  double backlog_rise = 0;  // in-flight requests gained over the window, by a least-squares line
  bool backlog_significant = false;
};

// Fills the window and the judgement of steadiness; empties `starts` and `series`. `last_instant_ns`: of the
// run.
void place_window(PhaseScan& scan, int64_t last_instant_ns);

class WindowPass : public RecordVisitor {
 public:
  void on_request(const RequestRecord& r) override;
  void on_phase(const PhaseLine& line) override;
  void on_tick(const TickLine& line) override;
  void on_warn(const WarnLine& line) override;
  void on_end(const EndLine& line) override;

  // After the pass: windows of all measured phases.
  void place_windows();

  const std::vector<std::unique_ptr<PhaseScan>>& scans() const {
    return scans_;
  }  // in order of their first line
  const std::vector<PhaseTotals>& counters() const { return counters_; }
  const std::string& end_reason() const { return end_reason_; }
  bool has_end() const { return has_end_; }
  int64_t last_instant_ns() const { return last_instant_ns_; }
  std::vector<WarnLine>& warnings() { return warnings_; }
  uint64_t missing_sequence_numbers()
      const;  // numbers below the highest that no line carries, and numbers used twice

 private:
  PhaseScan& scan_of(const std::string& workload, const std::string& phase);
  void note_sequence(uint64_t seq);

  std::vector<std::unique_ptr<PhaseScan>> scans_;
  PhaseScan* last_scan_ = nullptr;
  std::vector<PhaseTotals> counters_;  // of the end line, else of the last tick
  std::string end_reason_;
  bool has_end_ = false;
  int64_t last_instant_ns_ = 0;
  std::vector<WarnLine> warnings_;
  TokenEvents events_;
  std::vector<bool> seen_;
  uint64_t distinct_ = 0, repeated_ = 0, highest_ = 0;
};

}  // namespace tokometer

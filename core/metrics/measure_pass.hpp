// The second pass over the records: with the windows known, everything that is summed, pooled or kept per
// request. Private to core/metrics; phase_figures.cpp turns the result into a PhaseSummary.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "metrics/client_figures.hpp"
#include "metrics/histogram.hpp"
#include "metrics/manifest.hpp"
#include "metrics/request_rows.hpp"
#include "metrics/route_figures.hpp"
#include "metrics/summary.hpp"
#include "metrics/token_walk.hpp"
#include "metrics/window_pass.hpp"

namespace tokometer {

inline constexpr size_t kWindowBatches = 20;  // for the intervals of rates and of pooled gaps
using Batches = std::array<double, kWindowBatches>;

// A sum over the window, and its parts by twentieths of the window.
struct WindowSum {
  double total = 0;
  Batches parts{};
};

// Pooled gaps: percentiles by histogram, moments and extremes exact.
struct GapPool {
  Histogram histogram;
  double sum = 0, squares = 0;  // ns
  int64_t min = INT64_MAX, max = 0;
  void add(int64_t gap_ns, uint64_t count);
  void merge(const GapPool& other);
  uint64_t count() const { return histogram.count(); }
};

using ErrorKey = std::pair<Status, std::string>;  // and its class
struct ErrorFigures {
  uint64_t count = 0;
  std::string message;
  std::vector<int64_t> times_ns;  // E - S
};

struct PhaseFigures {
  PhaseFigures(const PhaseScan& phase_scan, const Manifest::Slo& limits) : scan(phase_scan), slo(limits) {}
  const PhaseScan& scan;
  const Manifest::Slo& slo;  // of the workload

  RequestRows rows;
  Counts counts;  // S in the window
  std::vector<std::pair<int64_t, int64_t>> foreign_wire,
      foreign_system;  // requests of other phases in this window

  WindowSum offered, sent, completed, output, input, lost, good;
  double wire_ns = 0, system_ns = 0;  // integrals over the window
  GapPool itl, itl_per_token;
  std::array<std::unique_ptr<Histogram>, kWindowBatches> itl_parts;

  uint64_t ended_after_load = 0, sendable_s = 0,
           sendable_x = 0;                      // V5: requests that were sent and not held by a cap
  uint64_t held = 0, blocked = 0, dropped = 0;  // V15
  std::map<ErrorKey, ErrorFigures> errors;
  TokenCounts ok_tokens, failed_tokens, cancelled_tokens;
  std::array<uint64_t, 5> sources{};
  int64_t token_events = 0;  // of ok requests of the window
  double event_tokens = 0;
  int64_t both_usage = 0, both_per_event = 0;  // V11: sums where both sources are known
  int64_t usage_prompt = 0, usage_cached = 0;  // V17
  uint64_t short_output = 0, wrong_model = 0, reasoning = 0;
  uint64_t sessions = 0, sessions_completed = 0;  // of the whole phase
  ClientFigures client;
  RouteFigures routes;

  // The whole phase: for whole.* and for vllm-bench.
  TokenCounts whole_ok, whole_lost;
  uint64_t whole_sent = 0, whole_good = 0;
  double whole_wire_ns = 0;
  GapPool itl_outside;                    // gaps of ok requests that are not of the window
  std::vector<double> tokens_by_second;   // since first X
  std::vector<int64_t> active_by_second;  // changes
};

class MeasurePass : public RecordVisitor {
 public:
  // Both must outlive the pass. Measured phases only get figures.
  MeasurePass(const Manifest& manifest, const std::vector<std::unique_ptr<PhaseScan>>& scans);

  void on_request(const RequestRecord& r) override;
  void on_tick(const TickLine& line) override;

  std::vector<std::unique_ptr<PhaseFigures>>& figures() { return figures_; }

 private:
  struct Request;  // one record and what was derived from it once
  PhaseFigures* figures_of(const RequestRecord& r);
  Request derive(const RequestRecord& r, const Manifest::Slo& slo);
  static bool is_good(const Request& request, const Manifest::Slo& slo);
  void add_to_phase(PhaseFigures& f, const Request& request);
  void add_window_request(PhaseFigures& f, const Request& request);
  void add_gaps(PhaseFigures& f, const Request& request, bool in_window);
  void add_whole(PhaseFigures& f, const Request& request);
  void add_arrivals(PhaseFigures& f, const Request& request);
  void add_tokens(PhaseFigures& f, const Request& request);
  static void add_error(PhaseFigures& f, const RequestRecord& r);

  std::vector<std::unique_ptr<PhaseFigures>> figures_;
  PhaseFigures* last_ = nullptr;
  TokenEvents events_;  // of the request at hand
  GapWalk walk_;
  std::vector<std::pair<int64_t, double>> gaps_;  // the same: gap in ns, tokens
  std::vector<int64_t> sorted_gaps_;
};

}  // namespace tokometer

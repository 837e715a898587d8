// The one reducer: manifest.json + records.jsonl -> every number that a report may print. The live run calls
// it at its end, `tokometer report DIR` calls it later; both get the same bytes. Two passes over the records:
// first the windows and the conservation law, then the numbers. Memory: at most 64 bytes a request, and the
// histograms.
//
//   auto summary = summarize(dir);  if (summary) publish_file(dir / "summary.json", summary_json(*summary));
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "metrics/histogram.hpp"
#include "metrics/manifest.hpp"
#include "metrics/record_log.hpp"

namespace tokometer {

// The percentiles of every distribution, in this order.
struct PercentileName {
  const char* id;       // "p99.9"
  uint32_t per_mille;   // 999
  uint64_t smallest_n;  // below it the value is marked; 0: none defined
};
inline constexpr std::array<PercentileName, 11> kPercentiles{{{"p0.1", 1, 4603},
                                                              {"p1", 10, 459},
                                                              {"p5", 50, 90},
                                                              {"p10", 100, 44},
                                                              {"p25", 250, 17},
                                                              {"p50", 500, 7},
                                                              {"p75", 750, 17},
                                                              {"p90", 900, 44},
                                                              {"p95", 950, 90},
                                                              {"p99", 990, 459},
                                                              {"p99.9", 999, 4603}}};
std::optional<size_t> percentile_index(std::string_view id);  // "p99" -> 9

// A percentile in which failures count: a value, infinitely slow, or "at least" (censored by a time-out or a
// cancel).
struct Adjusted {
  enum class Kind : uint8_t { value, at_least, infinite };
  Kind kind = Kind::value;
  double value = 0;
};

// One metric over requests, tokens or reads. With count 0 nothing but the count is defined.
struct Distribution {
  std::string id;          // "ttft_sched"
  std::string unit;        // "ns", "1/s"
  std::string definition;  // "T1 - S": row of docs/methodology.md
  bool integer = true;     // percentiles, min and max are whole numbers
  bool pooled = false;     // over tokens or reads: the smallest n does not apply in the same way
  uint64_t count = 0;
  double mean = 0, stddev = 0, min = 0, max = 0;
  std::array<double, kPercentiles.size()> percentiles{};
  std::array<std::optional<std::pair<double, double>>, kPercentiles.size()> ci95{};
  std::optional<std::pair<double, double>> mean_ci95;
  std::array<double, kPercentiles.size()> n_eff{};  // independent trials behind ci95; 0: none computed
  // Filled when at least one request of the window did not end ok.
  std::optional<std::array<Adjusted, kPercentiles.size()>> adjusted;
  std::optional<Adjusted> adjusted_max;
  uint64_t adjusted_count = 0;

  double percentile(std::string_view percentile_id) const;  // "p99"; asserts that it is a known one
  bool below_smallest_n(size_t percentile) const {
    return !pooled && count < kPercentiles[percentile].smallest_n;
  }
};

// A number without statistics.
struct Scalar {
  std::string id, unit, definition;
  std::variant<int64_t, double> value;
  std::optional<std::pair<double, double>> ci95;
  double number() const;
};

struct Counts {
  uint64_t planned = 0, issued = 0, not_issued = 0, ok = 0, failed = 0, cancelled = 0;
  uint64_t client_failed = 0;  // part of failed: class client.*
};

struct ErrorRow {
  std::string status;  // "failed", "cancelled", "not_issued"
  std::string cls;     // "timeout.first_token"
  uint64_t count = 0;
  double share = 0;     // of the planned requests
  std::string message;  // the first one, by line order; escaped when it was recorded
  std::optional<int64_t> time_to_failure_p50_ns, time_to_failure_max_ns;  // E - S
};

struct TokenCounts {
  uint64_t requests = 0;                            // with this outcome
  uint64_t counted_prompt = 0, counted_output = 0;  // requests that had a count
  int64_t prompt = 0, output = 0, reasoning = 0, cached = 0, asked = 0;
  uint64_t counted_asked = 0;
};

struct GateResult {
  std::string text;             // as written
  std::optional<double> value;  // absent: nothing to compare
  std::string unit;             // of the value: "ns", "1/s", "ratio", "count", "s"
  bool holds = false;
  uint64_t needs_n = 0;  // not 0: too few requests for this percentile (V3: INVALID)
  uint64_t n = 0;
};

// What vllm bench would print for this phase: whole phase, from send, vLLM's formulas, linear interpolation.
struct VllmFigures {
  struct Row {
    uint64_t count = 0;
    double mean_ms = 0, median_ms = 0, p99_ms = 0, std_ms = 0;
  };
  uint64_t completed = 0, failed = 0;
  double duration_s = 0;
  int64_t input_tokens = 0, output_tokens = 0;
  double peak_output_tokens_per_s = 0;  // best whole second, tokens and not chunks
  uint64_t peak_concurrent = 0;
  uint64_t good = 0;  // requests inside the SLO
  Row ttft, tpot, itl, e2e;
};

// Of a phase whose entries are sessions.
struct SessionFigures {
  struct Turn {
    uint64_t turn = 0;  // from 0; of the last row: this one and all behind it
    uint64_t planned = 0, ok = 0;
    std::vector<Distribution> metrics;  // ttft_sched, ttft_sent, e2e_sched, e2e_sent; only those with a value
  };
  static constexpr size_t kMostTurns = 32;  // rows
  uint64_t planned = 0, completed = 0;      // of the whole phase; completed: ok up to the last turn
  uint64_t started = 0;                     // first turns with S in the window
  double started_per_s = 0;
  std::vector<Turn> turns;  // requests with S in the window
};

enum class Window : uint8_t { explicit_duration, count, automatic, first_fifth, none };  // how w0 was found
std::string_view to_string(Window how);

// One workload in one measured phase.
struct PhaseSummary {
  std::string workload, phase;
  PhaseLine plan;                // the begin line
  int64_t w0_ns = 0, w1_ns = 0;  // the measure window, since run start
  Window warmup = Window::none;
  uint64_t ended_after_load = 0;      // requests of the window that ended when no new load came
  bool cooled_down = false;           // the load went on behind the window
  bool closed_at_last_end = false;    // all started at once: the window ends with the last E
  Counts counts;                      // requests with S in the window
  Counts phase_counts;                // the whole phase
  uint64_t unfinished = 0;            // issued and never ended: only after a crash
  std::vector<Distribution> metrics;  // fixed order
  std::vector<Scalar> scalars;        // fixed order; `whole.*` at the end
  std::vector<ErrorRow> errors;       // by count, then name
  TokenCounts ok_tokens, failed_tokens, cancelled_tokens;
  std::optional<SessionFigures> sessions;
  std::array<uint64_t, 5> sources{};  // ok requests by TokenSource
  double mean_tokens_per_event = 1;   // k
  uint64_t good = 0;                  // goodput's numerator
  uint64_t short_output = 0, wrong_model = 0;
  std::vector<GateResult> gates;
  VllmFigures vllm;
  // the client's own part
  double coalesced_share = 0;     // token events in flagged reads, client's share
  double busiest_thread = 0;      // of the I/O threads: share of a core
  int64_t cpu_ns = 0;             // of the whole process over `ticked_ns`; 0: the records do not say
  int64_t ticked_ns = 0;          // between the ticks at the window's two ends
  int64_t rss_peak_bytes = 0;     // up to the window's end; 0: the records do not say
  double kernel_stamp_share = 0;  // of the reads
  bool has_client = false;        // ticks fell in the window
  std::vector<std::pair<std::string, Histogram>>
      histograms;  // by metric id; what merge and the exporters add up

  // Open loop: the backlog grew over the window. Any loop: more errors than the budget.
  bool over = false;
  bool gates_hold() const;  // all of them; true without gates

  double cores_used() const {
    return ticked_ns > 0 ? static_cast<double>(cpu_ns) / static_cast<double>(ticked_ns) : 0;
  }
  const Distribution* find_metric(std::string_view id) const;
  const Scalar* find_scalar(std::string_view id) const;
};

enum class Grade : uint8_t { valid, suspect, invalid };
std::string_view to_string(Grade grade);  // "VALID"

struct Check {
  std::string id;    // "V4"
  std::string name;  // "schedule lag"
  Grade grade = Grade::valid;
  std::string measured;  // "p99 2.31 ms"
  std::string relation;  // ">": measured beyond limit is bad; "<": below it; empty: no limit to compare with
  std::string limit;     // "1.00 ms"
  std::string advice;    // what to do; only when not valid
  std::string workload, phase;  // empty: the run
  bool marks_row = false;       // about the load of a sweep's point: it marks the row, not the run's verdict
};

// What a sweep found. Indices into Summary::phases.
struct SweepFigures {
  std::optional<size_t> best;  // not over, all gates hold: the one with most output tokens per second
  std::optional<double> saturated_per_s;  // requests completed by the point "throughput"
  uint64_t skipped = 0;                   // points that were planned and not run
  // bisect: values of the option
  std::optional<size_t> highest_held, lowest_failed;
  bool confirmed = false;  // the highest was measured once more, for longer
};

struct Summary {
  static constexpr int kSchemaVersion = 1;
  Manifest manifest;
  ReadReport records;
  std::string end_reason;  // "finished", ...; "crashed" without an end line
  int64_t end_ns = 0;      // at of the end line, else the last instant seen
  Counts totals;           // all workloads and phases, from the lines
  std::vector<PhaseSummary> phases;
  std::optional<SweepFigures> sweep;  // of a sweep: each phase is a point
  std::vector<WarnLine> warnings;     // the first 100
  Grade verdict = Grade::valid;
  std::vector<Check> checks;  // V1 .. V17 in order; per phase where it applies
};

// Pure function of manifest.json and records.jsonl in `run_dir`. Fails only if one of them cannot be read.
Result<Summary> summarize(const std::filesystem::path& run_dir);

// One phase, while the run goes on: by the lines from this byte of the file on, which are all that concern
// it.
Result<PhaseSummary> summarize_point(const std::filesystem::path& run_dir, const std::string& phase,
                                     uint64_t from_byte);

}  // namespace tokometer

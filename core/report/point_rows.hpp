// A point of a sweep, or a run of a matrix, as one row: the figures that tables and CSV files show, taken
// from a phase's summary and small enough to be kept for hundreds of runs. Used by core/report and, for
// matrices, by cli.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/summary.hpp"

namespace tokometer {

struct PointRow {
  // A latency, in ns: of the loop's own basis ("from schedule" for open loops, "from send" for closed ones).
  struct Latency {
    std::optional<double> mean, p50, p99;
    bool p99_is_sure = true;       // enough requests for it
    bool p99_is_at_least = false;  // failures count: it is this or more
  };
  struct Tokens {
    uint64_t requests = 0;
    std::optional<double> prompt_per_request, output_per_request;
    int64_t prompt = 0, output = 0;
  };

  std::string name;
  std::string load;               // "constant"
  std::optional<double> offered;  // open loops
  double done_per_s = 0, wire = 0, output_per_s = 0, total_per_s = 0;
  Tokens ok, cancelled, failed;  // Comp, Inc, Err
  Latency ttft, itl, tpot, e2e;
  std::optional<double> good;        // ratio; with an SLO only
  std::string gates;                 // "hold", "fail", "over"; "-" without gates
  int64_t begin_ns = 0, end_ns = 0;  // of the window, since run start
  std::string verdict;
};

// `from_send`: latencies from the send for open loops, too, as other tools count.
PointRow row_of(const PhaseSummary& phase, const Summary& summary, bool from_send = false);

// The console table over rows. `first` heads the first column: "Point".
std::string render_rows(const std::vector<PointRow>& rows, std::string_view first);

// The same as a Markdown table.
std::string render_markdown_rows(const std::vector<PointRow>& rows, std::string_view first);

// CSV (RFC 4180): the columns above and those of GuideLLM. `keys`: more columns in front, one list of values
// a row.
std::string rows_csv(const std::vector<PointRow>& rows, const std::vector<std::string>& keys = {},
                     const std::vector<std::vector<std::string>>& values = {});

// The two blocks that GuideLLM prints, over rows.
std::string render_guidellm_rows(const std::vector<PointRow>& rows);

}  // namespace tokometer

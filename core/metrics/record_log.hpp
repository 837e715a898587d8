// records.jsonl: one JSON object a line, each with its line number "n" and a CRC-32C, so that a torn or
// damaged line is seen and never used. The writer only formats, into a reused buffer, on the engine's writer
// thread; that thread decides when to append and sync. The reader serves the reducer and `verify`, and
// survives any damage.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "metrics/histogram.hpp"
#include "metrics/record.hpp"

namespace tokometer {

// A warm-up or cool-down as asked for in the run file.
struct Span {
  enum class Kind : uint8_t { automatic, none, duration, count };
  Kind kind = Kind::automatic;
  int64_t ns = 0;      // duration
  uint64_t count = 0;  // count
};

// How far one workload got in one phase. Kept by the scheduler and the workers, apart from the request lines.
struct PhaseTotals {
  std::string workload, phase;
  uint64_t planned = 0, issued = 0, not_issued = 0, ok = 0, failed = 0, cancelled = 0;  // cumulative
  // Closed loops: integrals over time since the phase began, in user-nanoseconds. What the pattern wanted,
  // and the entries that were active (thinking included).
  int64_t wanted_user_ns = 0, active_user_ns = 0;
};

// One per workload and phase and event.
struct PhaseLine {
  enum class Event : uint8_t {
    begin,     // the phase's time 0; all facts below are given
    load_end,  // nothing more is scheduled (cool-down over, count reached, or stopped)
    end,       // nothing is in flight any more
  };
  std::string phase, workload;
  Event event = Event::begin;
  int64_t at_ns = 0;
  // begin only, but for the duration, which load_end repeats where slow answers made it longer:
  std::optional<int64_t> duration_ns;  // warm-up + measure window
  std::optional<uint64_t> requests;    // the same, as a count
  std::optional<uint64_t> sessions;    // the same, as a count of sessions
  Span warmup, cooldown;
  bool measure = true;  // false: not reported
  bool open_loop = true;
  bool unsteady = false;  // the pattern's capability: no automatic warm-up, no steady-state check
  std::string load;       // name of the pattern: "poisson"
  std::optional<double>
      rate_per_s;                 // the pattern's nominal rate, if it has one (labels only, never a result)
  std::optional<uint64_t> users;  // the same for closed loops
  std::optional<uint64_t> max_in_flight;
  std::string overload;         // "queue", "drop", "block"
  std::string load_options;     // canonical JSON; of a sweep's point the load that was chosen
  std::optional<double> value;  // of a sweep's point: that of the option in which they differ
};

struct ThreadTick {
  std::string name;             // "io-0", "scheduler", "writer"
  bool io = false;              // counts for "busiest I/O thread"
  int64_t cpu_ns = 0;           // cumulative, CLOCK_THREAD_CPUTIME_ID
  int64_t run_queue_ns = 0;     // cumulative, runnable but not running, beyond 50 us a dispatch; 0 if unknown
  int64_t longest_turn_ns = 0;  // longest loop turn since the last tick
};

// Each second and at window borders: what the checks need and no request shows. "Cumulative" = since the run
// began; "since" = since the last tick.
struct TickLine {
  int64_t at_ns = 0;
  std::vector<PhaseTotals> totals;   // every workload and phase begun so far
  std::optional<uint64_t> last_seq;  // last index issued
  uint64_t in_flight = 0;
  int64_t rss_bytes = 0;
  int64_t rss_peak_bytes = 0;  // the highest since the program began; 0: unknown
  int64_t fds = 0;
  int64_t cpu_ns = 0;  // cumulative: of the whole process; 0: unknown
  std::vector<ThreadTick> threads;
  int64_t host_gap_ns = 0;       // cumulative: time lost in gaps > 1 ms, by the low-duty 1 ms sampler
  int64_t clock_steps = 0;       // cumulative: wall clock jumps > 10 us
  int64_t suspended_ns = 0;      // cumulative: CLOCK_BOOTTIME minus CLOCK_MONOTONIC since the start
  int64_t reads = 0;             // cumulative: socket reads
  int64_t user_stamp_reads = 0;  // cumulative: those without a usable kernel stamp
  int64_t token_events = 0;      // cumulative
  int64_t flagged_events = 0;    // cumulative: token events in coalesced or cut reads
  Histogram client_lag;          // since: user stamp - kernel stamp, per read
  Histogram ambiguity;           // since: ambiguity of each flagged read, counted once per token event in it
  int64_t writer_backlog_bytes = 0;  // since: highest
  int64_t writer_backlog_limit_bytes = 0;
};

struct WarnLine {
  int64_t at_ns = 0;
  std::string id;    // stable word: "clock_step", "slow_call", ...
  std::string text;  // for people, escaped
};

// The last line of a run that ended in order.
struct EndLine {
  int64_t at_ns = 0;
  std::string reason;  // "finished", "signal.INT", "signal.TERM", "budget", "deadlock", "disk", ...
  std::vector<PhaseTotals> totals;  // by the workers' and the scheduler's own counters
};

class RecordWriter {
 public:
  struct Options {
    bool gaps = true;  // false: no gaps_us, k, coalesced, choice (output.records.events: none)
  };
  RecordWriter() : RecordWriter(Options{}) {}
  explicit RecordWriter(Options options);

  // Each formats one line behind the pending ones. Allocates only while the buffer still grows.
  void write_request(const RequestRecord& record);
  void write_phase(const PhaseLine& line);
  void write_tick(const TickLine& line);
  void write_warn(const WarnLine& line);
  void write_end(const EndLine& line);

  // Lines not yet taken by clear_pending(): append these bytes to the file, then clear.
  std::string_view pending() const { return buffer_; }
  void clear_pending() { buffer_.clear(); }
  uint64_t lines() const { return lines_; }  // formatted so far, and the last line's "n"
  uint64_t request_lines() const { return request_lines_; }

 private:
  void write_timeline(const Timeline& timeline);
  void finish_line(size_t begin);

  Options options_;
  std::string buffer_;
  uint64_t lines_ = 0;
  uint64_t request_lines_ = 0;
};

// What reading met besides good lines.
struct ReadReport {
  uint64_t lines = 0;  // good ones
  uint64_t request_lines = 0;
  uint64_t damaged = 0;    // CRC or form wrong; not used
  bool torn_tail = false;  // the file does not end with a newline; its last piece is not used
  uint64_t missing = 0;    // line numbers that no good line carries, damaged ones included
  bool has_end = false;
  uint64_t unknown = 0;  // good lines of a kind that this version does not know; skipped
};

// Receives the good lines in file order. References are valid during the call only.
class RecordVisitor {
 public:
  virtual ~RecordVisitor() = default;
  virtual void on_request(const RequestRecord&) {}
  virtual void on_phase(const PhaseLine&) {}
  virtual void on_tick(const TickLine&) {}
  virtual void on_warn(const WarnLine&) {}
  virtual void on_end(const EndLine&) {}
};

// Streams a file through the visitor, in bounded memory, from the line that begins at `from_byte` on. Fails
// only when the file cannot be opened or read.
Result<ReadReport> read_records(const std::filesystem::path& file, RecordVisitor& visitor,
                                uint64_t from_byte = 0);

// The same for bytes in memory (tests, fuzzing).
ReadReport read_records_text(std::string_view text, RecordVisitor& visitor);

}  // namespace tokometer

// What a running benchmark shows of itself, as text: the panel of a terminal and the plain line of everything
// else. Pure functions of what the engine says and of rates over the last seconds. panel.hpp draws.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/run.hpp"

namespace tokometer {

struct Rates {
  double sent_per_s = 0;
  double tokens_per_s = 0;
  std::vector<double> workload_sent_per_s = {};  // as Progress has its workloads
};

// Rates over the last five seconds of a phase. Starts afresh with each phase. One thread.
class RateWindow {
 public:
  // Takes the newest state; gives the rates up to it, 0 while there is only one.
  Rates add(const Progress& progress);

 private:
  struct Point {
    int64_t at_ns;
    uint64_t sent, tokens;
    std::vector<uint64_t> workload_sent;
  };
  std::string phase_;
  std::deque<Point> points_;
};

// Over the whole phase so far; tokens over the whole run.
Rates average_rates(const Progress& progress);

// "  chat  sent 8.0/s  on the wire 8  ok 120  failed 0  TTFT p50 58 ms", a line for each workload of the
// phase; none where it has one.
std::vector<std::string> workload_lines(const Progress& progress, const Rates& rates);

// The lines of the panel, without control codes, none longer than `width` characters.
std::vector<std::string> panel_lines(const Progress& progress, const Rates& rates, size_t width);

// "main 10 s of 120 s, 79 ok, 0 failed, 8 on the wire, 7.9 req/s, TTFT p50 58 ms p99 140 ms, 640 tok/s"
std::string progress_line(const Progress& progress, const Rates& rates);

// What the line leaves out: lag, queues, the slowest requests in flight; a line each.
std::vector<std::string> state_lines(const RunState& state);

}  // namespace tokometer

// What `tokometer selftest` found out about this host, and how it is told: as a table with one sentence at
// its end, or as JSON. Pure functions of figures; the formula of each stands in docs/methodology.md, "The
// self-test".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "metrics/summary.hpp"

namespace tokometer {

// One load and what the client said of itself under it. Copied from the summary of a short run.
struct LoadTrial {
  double requests_per_s = 0;  // completed_rate
  double events_per_s = 0;    // token arrivals: output_tokens_per_s + lost_tokens_per_s; one token an event
  double streams = 0;         // concurrency_wire
  double busiest_thread = 0;  // of the I/O threads: share of a core
  double cores_used = 0;
  double coalesced_share = 0, kernel_stamp_share = 0;
  int64_t rss_peak_bytes = 0;
  int64_t send_lateness_p99_ns = 0;  // own_lag
  int64_t client_lag_p99_ns = 0;
  std::vector<Check> doubts;  // V4 to V9 that are not VALID
};

// Of the one measured phase of `summary`.
LoadTrial trial_of(const Summary& summary);

bool is_calm(const LoadTrial& trial);  // no doubts

struct SelfTest {
  Manifest::Host host;
  double idle_s = 0;           // how long the idle host was watched
  double idle_lost_share = 0;  // of that time, in gaps over 1 ms
  int64_t idle_longest_gap_ns = 0;
  LoadTrial top_requests, top_events;  // as fast as it goes
  LoadTrial requests;                  // an open loop at a part of top_requests
  LoadTrial streams;                   // many streams with a part of top_events
};

// What this host can be trusted to measure: rates of the calm trials, rounded down to two digits.
struct Trust {
  double requests_per_s = 0, events_per_s = 0, streams = 0;  // 0: not even the smallest load tried
  int64_t gap_ns = 0;                                        // gaps below it cannot be told apart
};
Trust trust_of(const SelfTest& test);
std::string sentence_of(const SelfTest& test);

std::string selftest_text(const SelfTest& test);
std::string selftest_json(const SelfTest& test);

}  // namespace tokometer

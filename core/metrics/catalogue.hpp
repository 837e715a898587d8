// The metrics of a summary: id, unit and formula, once. The reducer, summary.json, gates and
// docs/methodology.md use these ids. S R X B V T1 A1 Tn E are the instants of a request, N its output tokens,
// W the length of the window.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace tokometer {

struct MetricInfo {
  std::string_view id, unit, definition;
};

// Distributions.
inline constexpr std::array<MetricInfo, 22> kDistributions{{
    {"ttft_sched", "ns", "T1 - S"},
    {"ttft_sent", "ns", "T1 - X"},
    {"ttfa_sched", "ns", "A1 - S"},
    {"ttfa_sent", "ns", "A1 - X"},
    {"e2e_sched", "ns", "E - S"},
    {"e2e_sent", "ns", "E - X"},
    {"tpot", "ns", "(Tn - T1) / (N - k1)"},
    {"ntpot_sched", "ns", "(E - S) / N"},
    {"ntpot_sent", "ns", "(E - X) / N"},
    {"itl", "ns", "t(i) - t(i-1) over token events, pooled; one per socket read"},
    {"itl_per_token", "ns", "event gap / k, weight k"},
    {"longest_gap", "ns", "max event gap of a request"},
    {"first_event_sent", "ns", "V - X"},
    {"first_byte_sent", "ns", "B - X"},
    {"user_tokens_per_s", "1/s", "1 / TPOT"},
    {"user_tokens_per_s_sched", "1/s", "N / (E - S)"},
    {"connect", "ns", "C2 or C1 - C0"},
    {"hold", "ns", "R - S"},
    {"send_lag", "ns", "X - R"},
    {"schedule_lag", "ns", "X - S"},
    {"own_lag", "ns", "X - S without policy holds and connecting"},
    {"client_lag", "ns", "user stamp - kernel stamp, per read"},
}};

// Plain numbers. Those of the second table also exist as "whole.<id>", over [first X, last E].
inline constexpr std::array<MetricInfo, 21> kScalars{{
    {"planned", "count", "requests with S in the window"},
    {"issued", "count", "released to a worker"},
    {"not_issued", "count", "planned - issued"},
    {"ok", "count", "ended well"},
    {"failed", "count", "ended in a failure class"},
    {"cancelled", "count", "ended by us"},
    {"error_ratio", "ratio", "failed / (ok + failed), client.* apart"},
    {"offered_rate", "1/s", "requests with S in the window / W"},
    {"sent_rate", "1/s", "requests with X in the window / W"},
    {"completed_rate", "1/s", "ok requests with E in the window / W"},
    {"output_tokens_per_s", "1/s", "tokens of ok requests that arrived in the window / W"},
    {"input_tokens_per_s", "1/s", "prompt tokens of ok requests with T1 (or E) in the window / W"},
    {"total_tokens_per_s", "1/s", "output + input"},
    {"lost_tokens_per_s", "1/s", "tokens that failed or cancelled requests received in the window / W"},
    {"goodput_rate", "1/s", "ok requests with S in the window inside every SLO limit / W"},
    {"goodput_ratio", "ratio", "the same / planned requests"},
    {"concurrency_wire", "count", "time mean of requests with X <= t < E"},
    {"concurrency_wire_peak", "count", "highest number of requests with X <= t < E"},
    {"concurrency_system", "count", "time mean of requests with S <= t < E"},
    {"concurrency_system_peak", "count", "highest number of requests with S <= t < E"},
    {"window", "s", "W"},
}};
inline constexpr std::array<MetricInfo, 10> kWholeScalars{{
    {"whole.sent_rate", "1/s", "requests with an X / (last E - first X)"},
    {"whole.completed_rate", "1/s", "ok requests / (last E - first X)"},
    {"whole.output_tokens_per_s", "1/s", "N of ok requests / (last E - first X)"},
    {"whole.input_tokens_per_s", "1/s", "prompt tokens of ok requests / (last E - first X)"},
    {"whole.total_tokens_per_s", "1/s", "output + input"},
    {"whole.lost_tokens_per_s", "1/s", "tokens of failed and cancelled requests / (last E - first X)"},
    {"whole.goodput_rate", "1/s", "requests inside every SLO limit / (last E - first X)"},
    {"whole.goodput_ratio", "ratio", "the same / planned requests"},
    {"whole.concurrency_wire", "count", "time mean over [first X, last E]"},
    {"whole.duration", "s", "last E - first X"},
}};

const MetricInfo* find_distribution_info(std::string_view id);
const MetricInfo* find_scalar_info(std::string_view id);  // whole.* too
// "ttft" -> "ttft_sched": plain names in SLOs and gates count from the schedule. Other names stay.
std::string_view full_metric_id(std::string_view id);
// All names that a gate may use, aliases included.
std::vector<std::string> metric_names();

}  // namespace tokometer

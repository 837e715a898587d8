// The names of records.jsonl, once for the writer and the reader (private to core/metrics). A request's plain
// texts and numbers are a table; what needs its own form (flags, stamp, gaps) is in the writer and the reader
// by hand.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "metrics/record_log.hpp"

namespace tokometer::record_fields {

inline constexpr std::string_view kCrcKey = ",\"crc\":\"";
inline constexpr size_t kCrcTail = kCrcKey.size() + 8 + 2;  // ,"crc":"xxxxxxxx"}

inline constexpr std::array<std::string_view, 4> kSpanNames{"auto", "none", "duration", "count"};
inline constexpr std::array<std::string_view, 3> kPhaseEventNames{"begin", "load_end", "end"};

struct RequestField {
  std::string_view name;
  std::string RequestRecord::*text = nullptr;
  int64_t RequestRecord::*number = nullptr;
  int64_t unwritten = kAbsent;  // the value that is not written, and that a missing key means
};

using R = RequestRecord;
inline constexpr std::array<RequestField, 41> kRequestFields{{
    {"id", &R::id},
    {"workload", &R::workload},
    {"phase", &R::phase},
    {"session", &R::session},
    {"turn", nullptr, &R::turn},
    {"turns", nullptr, &R::turns},
    {"sample", nullptr, &R::sample},
    {"model", &R::model},
    {"adapter", &R::adapter},
    {"class", &R::cls},
    {"http_status", nullptr, &R::http_status},
    {"finish_reason", &R::finish_reason},
    {"error", &R::error},
    {"attempts", nullptr, &R::attempts},
    {"scheduled_ns", nullptr, &R::scheduled_ns},
    {"released_ns", nullptr, &R::released_ns},
    {"held_by_cap_ns", nullptr, &R::held_by_cap_ns, 0},
    {"connect_ns", nullptr, &R::connect_ns},
    {"tcp_ready_ns", nullptr, &R::tcp_ready_ns},
    {"tls_ready_ns", nullptr, &R::tls_ready_ns},
    {"sent_ns", nullptr, &R::sent_ns},
    {"send_done_ns", nullptr, &R::send_done_ns},
    {"first_byte_ns", nullptr, &R::first_byte_ns},
    {"first_event_ns", nullptr, &R::first_event_ns},
    {"first_token_ns", nullptr, &R::first_token_ns},
    {"first_answer_ns", nullptr, &R::first_answer_ns},
    {"last_token_ns", nullptr, &R::last_token_ns},
    {"end_ns", nullptr, &R::end_ns},
    {"prompt_tokens", nullptr, &R::prompt_tokens},
    {"cached_tokens", nullptr, &R::cached_tokens},
    {"output_tokens", nullptr, &R::output_tokens},
    {"reasoning_tokens", nullptr, &R::reasoning_tokens},
    {"asked_output_tokens", nullptr, &R::asked_output_tokens},
    {"per_event_tokens", nullptr, &R::per_event_tokens},
    {"first_event_tokens", nullptr, &R::first_event_tokens},
    {"endpoint", &R::endpoint},
    {"conn", nullptr, &R::conn},
    {"events", nullptr, &R::events, 0},
    {"client_lag_max_ns", nullptr, &R::client_lag_max_ns},
    {"bytes_sent", nullptr, &R::bytes_sent, 0},
    {"bytes_received", nullptr, &R::bytes_received, 0},
}};

// The plain numbers of a tick line.
struct TickField {
  std::string_view name;
  int64_t TickLine::*number;
};
inline constexpr std::array<TickField, 11> kTickFields{{
    {"rss_peak_bytes", &TickLine::rss_peak_bytes},
    {"cpu_ns", &TickLine::cpu_ns},
    {"host_gap_ns", &TickLine::host_gap_ns},
    {"clock_steps", &TickLine::clock_steps},
    {"suspended_ns", &TickLine::suspended_ns},
    {"reads", &TickLine::reads},
    {"user_stamp_reads", &TickLine::user_stamp_reads},
    {"token_events", &TickLine::token_events},
    {"flagged_events", &TickLine::flagged_events},
    {"writer_backlog_bytes", &TickLine::writer_backlog_bytes},
    {"writer_backlog_limit_bytes", &TickLine::writer_backlog_limit_bytes},
}};

}  // namespace tokometer::record_fields

#include "metrics/record.hpp"

#include <array>

namespace tokometer {
namespace {

constexpr std::array<std::string_view, 4> kStatusNames{"ok", "failed", "cancelled", "not_issued"};
constexpr std::array<std::string_view, 5> kSourceNames{"", "usage", "per_event", "tokenizer", "events"};
constexpr std::array<std::string_view, kFlagCount> kFlagNames{
    "no_done",      "no_finish",   "dup_done",    "surplus",     "no_last_chunk",  "not_streamed",
    "content_type", "stale_conn",  "coalesced",   "multi_token", "usage_mismatch", "usage_bad",
    "short_output", "long_output", "late_tokens", "bad_utf8",    "wrong_model"};

}  // namespace

std::string_view to_string(Status status) {
  return kStatusNames[static_cast<size_t>(status)];
}
std::string_view to_string(TokenSource source) {
  return kSourceNames[static_cast<size_t>(source)];
}
std::string_view flag_name(int bit) {
  return kFlagNames[static_cast<size_t>(bit)];
}

uint32_t flag_from_name(std::string_view name) {
  for (int bit = 0; bit < kFlagCount; ++bit) {
    if (flag_name(bit) == name) return 1u << bit;
  }
  return 0;
}

std::optional<Status> status_from_name(std::string_view name) {
  for (size_t i = 0; i < kStatusNames.size(); ++i) {
    if (kStatusNames[i] == name) return static_cast<Status>(i);
  }
  return std::nullopt;
}

std::optional<TokenSource> token_source_from_name(std::string_view name) {
  for (size_t i = 1; i < kSourceNames.size(); ++i) {
    if (kSourceNames[i] == name) return static_cast<TokenSource>(i);
  }
  return std::nullopt;
}

// Strings are cleared one by one: assigning a new record would drop the memory that they have earned.
void RequestRecord::reset() {
  seq = 0;
  for (std::string* text :
       {&id, &workload, &phase, &session, &model, &adapter, &cls, &finish_reason, &error, &endpoint}) {
    text->clear();
  }
  status = Status::not_issued;
  for (int64_t* number : {&turn,
                          &turns,
                          &sample,
                          &http_status,
                          &attempts,
                          &scheduled_ns,
                          &released_ns,
                          &connect_ns,
                          &tcp_ready_ns,
                          &tls_ready_ns,
                          &sent_ns,
                          &send_done_ns,
                          &first_byte_ns,
                          &first_event_ns,
                          &first_token_ns,
                          &first_answer_ns,
                          &last_token_ns,
                          &end_ns,
                          &prompt_tokens,
                          &cached_tokens,
                          &output_tokens,
                          &reasoning_tokens,
                          &asked_output_tokens,
                          &per_event_tokens,
                          &conn,
                          &first_event_tokens,
                          &client_lag_max_ns}) {
    *number = kAbsent;
  }
  flags = 0;
  held_by_cap_ns = events = bytes_sent = bytes_received = 0;
  token_source = TokenSource::none;
  prompt_from_dataset = reused = has_text_crc = stamp_kernel = false;
  text_crc = 0;
  timeline.release();
  server.clear();
}

}  // namespace tokometer

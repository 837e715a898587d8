// One planned request from its schedule to its terminal state: what the engine fills, the writer thread turns
// into a line of records.jsonl, and the reducer reads back. A worker owns the record until it hands it to the
// writer, which resets and recycles it: after warm-up neither filling nor resetting allocates. Times are ns
// since the run's start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/timeline.hpp"

namespace tokometer {

constexpr int64_t kAbsent = INT64_MIN;  // an instant or a count that is not known; never written to JSON

enum class Status : uint8_t { ok, failed, cancelled, not_issued };
std::string_view to_string(Status status);
std::optional<Status> status_from_name(std::string_view name);

// Who counted the output tokens, best first.
enum class TokenSource : uint8_t { none, usage, per_event, tokenizer, events };
std::string_view to_string(TokenSource source);  // "" for none
std::optional<TokenSource> token_source_from_name(std::string_view name);

// What was odd about a request that may still be ok. A set of bits, written as an array of names.
enum Flag : uint32_t {
  kFlagNoDone = 1u << 0,
  kFlagNoFinish = 1u << 1,
  kFlagDupDone = 1u << 2,
  kFlagSurplus = 1u << 3,
  kFlagNoLastChunk = 1u << 4,
  kFlagNotStreamed = 1u << 5,
  kFlagContentType = 1u << 6,
  kFlagStaleConn = 1u << 7,
  kFlagCoalesced = 1u << 8,
  kFlagMultiToken = 1u << 9,
  kFlagUsageMismatch = 1u << 10,
  kFlagUsageBad = 1u << 11,
  kFlagShortOutput = 1u << 12,
  kFlagLongOutput = 1u << 13,
  kFlagLateTokens = 1u << 14,
  kFlagBadUtf8 = 1u << 15,
  kFlagWrongModel = 1u << 16,
};
constexpr int kFlagCount = 17;
std::string_view flag_name(int bit);        // bit number, 0 .. kFlagCount-1: "no_done", ...
uint32_t flag_from_name(std::string_view);  // 0: no such flag

// The fields of the "request" line, under the same names. The capital letter is the instant of
// docs/methodology.md.
struct RequestRecord {
  // identity
  uint64_t seq = 0;  // from 0, in the order in which the scheduler planned them; unique in the run
  std::string id;    // the request id given to the server
  std::string workload;
  std::string phase;
  std::string session;  // empty: no session
  int64_t turn = kAbsent;
  int64_t turns = kAbsent;   // of the session in all
  int64_t sample = kAbsent;  // index of the sample in the dataset
  std::string model;
  std::string adapter;

  // outcome; first the small fields of all groups, for a stream in flight has one record
  Status status = Status::not_issued;
  TokenSource token_source = TokenSource::none;
  bool prompt_from_dataset = false;  // prompt_tokens is the dataset's declared length, not the server's count
  bool reused = false;               // the connection
  bool stamp_kernel = false;
  bool has_text_crc = false;
  uint32_t text_crc = 0;  // CRC-32C of choice 0's text
  uint32_t flags = 0;     // Flag bits
  std::string cls;  // "class" in JSON: "" when ok, else "connect", "status.503", "drain", "overload", ...
  int64_t http_status = kAbsent;
  std::string finish_reason;
  std::string error;           // at most 256 bytes, already escaped
  int64_t attempts = kAbsent;  // only with retries

  // instants
  int64_t scheduled_ns = kAbsent;     // S
  int64_t released_ns = kAbsent;      // R
  int64_t connect_ns = kAbsent;       // C0
  int64_t tcp_ready_ns = kAbsent;     // C1
  int64_t tls_ready_ns = kAbsent;     // C2
  int64_t sent_ns = kAbsent;          // X
  int64_t send_done_ns = kAbsent;     // Y
  int64_t first_byte_ns = kAbsent;    // B
  int64_t first_event_ns = kAbsent;   // V
  int64_t first_token_ns = kAbsent;   // T1
  int64_t first_answer_ns = kAbsent;  // A1
  int64_t last_token_ns = kAbsent;    // Tn
  int64_t end_ns = kAbsent;           // E
  int64_t held_by_cap_ns = 0;         // the part of R - S that a cap of the run file caused; 0 is not written

  // tokens
  int64_t prompt_tokens = kAbsent;
  int64_t cached_tokens = kAbsent;
  int64_t output_tokens = kAbsent;
  int64_t reasoning_tokens = kAbsent;
  int64_t asked_output_tokens = kAbsent;
  int64_t per_event_tokens =
      kAbsent;  // sum of the counts the server gave per event, whatever the headline source

  // stream
  std::string endpoint;
  int64_t conn = kAbsent;
  int64_t events = 0;                    // token events (T1 .. Tn); 0 is not written
  int64_t first_event_tokens = kAbsent;  // k1, where stated by the server
  Timeline timeline;                     // one entry a token event
  int64_t client_lag_max_ns = kAbsent;
  int64_t bytes_sent = 0;
  int64_t bytes_received = 0;

  // What the server said about this request; names and units are declared by the processor's profile.
  std::vector<std::pair<std::string, double>> server;

  // Back to the state of a new record; strings and vectors keep their memory, the timeline gives its blocks
  // back.
  void reset();
};

}  // namespace tokometer

// What a processor says about one response, put into the request's record: the sink behind `tkm_events`.
// Every event takes the stamp of the socket read that completed it. One per exchange, made for reuse; I/O
// thread only. A token costs: a few comparisons, the CRC of its text, two or three bytes of timeline. No
// allocation, no lock, no clock.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.hpp"
#include "engine/context.hpp"
#include "metrics/record.hpp"
#include "metrics/timeline.hpp"
#include "net/socket.hpp"

#include <tokometer/abi.h>

namespace tokometer {

class ResponseEvents {
 public:
  // A sink for any number of them, one after the other: see sink().
  static tkm_events make_sink();

  // For the next response. All three outlive it.
  void begin(const RunContext& context, RequestRecord& record, BlockPool& blocks);

  // What the next turn of a session will need of this response: the text of choice 0 (null: it is not
  // needed) and the conversation's state. Until forget_session().
  void keep_for_session(std::string* answer, std::string* carry) noexcept {
    answer_ = answer;
    carry_ = carry;
  }
  void forget_session() noexcept { answer_ = carry_ = nullptr; }

  // The bytes that follow came with this read.
  void on_read(const ReadStamp& stamp) noexcept {
    at_ns_ = stamp.at_ns;
    tokens_in_read_ = 0;
  }
  // The reply comes as a whole, at once: its events have no instants of their own.
  void ignore_times() noexcept { timed_ = false; }

  // `shared`, of make_sink(), for one call of the plugin about this response.
  const tkm_events& sink(tkm_events& shared) noexcept {
    shared.ctx = this;
    return shared;
  }

  uint32_t token_events_in_read() const noexcept { return tokens_in_read_; }
  bool done() const noexcept { return done_; }               // the logical end was marked
  bool failed() const noexcept { return error_kind_ != 0; }  // the server said so, or aborted
  bool all_finished() const noexcept { return unfinished_ == 0; }
  bool has_output() const noexcept { return output_seen_ || usage_.output_tokens > 0; }
  int32_t error_kind() const noexcept { return error_kind_; }                    // TKM_FAIL_*
  const std::string& error_message() const noexcept { return *error_message_; }  // only if failed()
  int32_t last_finish() const noexcept { return last_finish_; }                  // TKM_FINISH_*

  // Puts totals, sources and flags into the record; called once, when nothing follows any more.
  void conclude(int64_t asked_output_tokens, bool exact);

 private:
  static ResponseEvents& of(void* self) { return *static_cast<ResponseEvents*>(self); }
  void delta(const tkm_delta& delta);
  void token_event(const tkm_delta& delta);
  void note_answer(const tkm_delta& delta);
  void usage(const tkm_usage& usage);
  void finish(uint32_t choice, int32_t reason, std::string_view raw);
  void error(int32_t kind, std::string_view message);
  void mark(int32_t mark);
  void metric(std::string_view name, double value);
  void saw_event() noexcept;
  void flag_length(int64_t asked, bool exact);

  static constexpr size_t kMostChoices = 128;  // of request.choices in the run file's schema

  const RunContext* context_ = nullptr;
  RequestRecord* record_ = nullptr;
  BlockPool* blocks_ = nullptr;
  std::string *answer_ = nullptr, *carry_ = nullptr;  // of a session
  Crc32c crc_;
  int64_t at_ns_ = 0;
  uint32_t tokens_in_read_ = 0;
  int64_t counted_tokens_ = 0;  // sum of the counts given per event
  bool every_event_counted_ = true;
  bool output_seen_ = false;  // text or tokens, with or without an instant
  bool timed_ = true;
  bool done_ = false;
  uint32_t unfinished_ = 0;  // choices without a finish
  std::bitset<kMostChoices> finished_;
  int32_t last_finish_ = 0;
  int32_t error_kind_ = 0;
  std::unique_ptr<std::string> error_message_;
  tkm_usage usage_{};
};

}  // namespace tokometer

// The events of one stream in the wire form of the generation's dialect and route, each as one HTTP chunk,
// and the body of a reply that is not streamed. The constant parts are made once a request; an event is a few
// appends into a buffer that is kept, so it allocates nothing. One EventWriter a request; the ChunkBuffer
// belongs to the server, and each result is valid until the next.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sim/generation.hpp"
#include "sim/http.hpp"

namespace tokometer::sim {

// Totals so far over all choices, as they will be reported.
struct Usage {
  uint64_t prompt = 0, completion = 0;
  int64_t cached = -1;  // -1: not reported
};

// What a dialect's stream has besides its tokens.
struct WireRules {
  bool has_roles = true;        // chat: a chunk with the role before the first token
  bool has_usage_chunk = true;  // if asked for
  bool has_done_mark = true;    // [DONE]
  bool ends_apart = false;      // the finish reason is a chunk of its own, after all choices have ended
};

class EventWriter {
 public:
  struct Event {
    std::string_view bytes;
    char* stamp = nullptr;  // 16 hex digits to overwrite with the send time; null: the event has no stamp
  };
  struct Token {
    uint32_t choice = 0;
    uint64_t index = 0;  // of the first token of the event, in its choice
    uint64_t count = 1;
    bool reasoning = false;
    const char* finish = nullptr;  // finish_reason; null: not the last
    uint32_t stream = 0, seq = 0;
  };

  EventWriter(const Generation& generation, ChunkBuffer& buffer, WireRules rules);
  virtual ~EventWriter() = default;
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  const WireRules& rules() const { return rules_; }
  virtual Event role(uint32_t choice, const Usage& usage) = 0;
  // `text` gets the tokens' text appended (the caller's checksum needs it).
  virtual Event token(const Token& token, const Usage& usage, std::string& text) = 0;
  virtual Event finish(uint32_t choice, const char* reason, const Usage& usage) = 0;  // without a token
  virtual Event usage(const Usage& usage) = 0;
  virtual Event failure(const Fault& fault);  // what a failure under 200 looks like
  virtual std::string last_chunk() const { return std::string(kLastChunk); }
  Event text(std::string_view event_lines);  // LF lines as they are, or with CR LF where the shape says so

  virtual std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const = 0;
  virtual std::string whole_fields(const Usage&) const { return {}; }  // more header lines beside it
  // The form of the event of a failure.
  virtual std::string_view error_form(const Fault& fault) const { return fault.form; }
  // The status of a reply that begins with that event.
  virtual int first_error_status() const { return 200; }

 protected:
  std::string& begin(std::string_view start);  // the event's text so far
  Event end(bool stamped, uint32_t stream, uint32_t seq);
  Event end() { return end(false, 0, 0); }
  Event end_as_is() { return {.bytes = buffer_.end()}; }
  std::string& out() { return buffer_.text(); }
  const Generation& generation() const { return generation_; }
  std::string_view model() const;  // as the reply names it

 private:
  const Generation& generation_;
  ChunkBuffer& buffer_;
  WireRules rules_;
  std::string_view line_end_;
};

std::unique_ptr<EventWriter> make_event_writer(const Generation& generation, ChunkBuffer& buffer);

// All of a choice's tokens, reasoning left out or alone.
std::string whole_text(const Generation& generation, uint32_t stream, uint32_t choice, bool reasoning);
std::string quoted(std::string_view text);  // as JSON

}  // namespace tokometer::sim

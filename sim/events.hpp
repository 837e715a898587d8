// The events of one stream in vLLM's wire form, each as one HTTP chunk, and the body of a reply that is not
// streamed. The constant parts are made once a request; an event is a few appends into a buffer that is kept,
// so it allocates nothing. One EventWriter a request; the ChunkBuffer belongs to the server, and each result
// is valid until the next.
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

// Other dialects derive from it.
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

  EventWriter(const Generation& generation, ChunkBuffer& buffer);
  virtual ~EventWriter() = default;
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  virtual Event role(uint32_t choice, const Usage& usage);
  // `text` gets the tokens' text appended (the caller's checksum needs it).
  virtual Event token(const Token& token, const Usage& usage, std::string& text);
  virtual Event finish(uint32_t choice, const char* reason, const Usage& usage);  // without a token
  Event usage(const Usage& usage);
  Event text(std::string_view event_lines);  // LF lines as they are, or with CR LF where the shape says so

  virtual std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const;
  // The lines of the event that ends a stream; empty: the end of the body is the end.
  virtual std::string_view end_mark() const { return "data: [DONE]\n\n"; }
  // The form of the event of a failure.
  virtual std::string_view error_form(const Fault& fault) const { return fault.form; }
  // The status of a reply that begins with that event.
  virtual int first_error_status() const { return 200; }

 protected:
  const Generation& generation() const { return generation_; }
  ChunkBuffer& buffer() { return buffer_; }
  // Ends the object and the event that lie in the buffer.
  Event end(bool stamped, uint32_t stream, uint32_t seq);

 private:
  // More members of the last event, or of a whole body, with a comma in front.
  virtual void append_more(std::string&, const Usage&) const {}
  void begin();
  void append_usage(std::string& out, const Usage& usage) const;
  void open_choice(uint32_t choice);
  void delta(const Token& token, std::string_view text);

  const Generation& generation_;
  ChunkBuffer& buffer_;
  std::string start_;  // up to the choices' bracket
  std::string_view line_end_;
};

// The writer of the generation's dialect.
std::unique_ptr<EventWriter> make_writer(const Generation& generation, ChunkBuffer& buffer);

}  // namespace tokometer::sim

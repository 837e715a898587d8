// The events of one stream in vLLM's wire form, each as one HTTP chunk, and the body of a reply that is not
// streamed. The constant parts are made once a request; an event is a few appends into a buffer that is kept,
// so it allocates nothing. One EventWriter a request; the ChunkBuffer belongs to the server, and each result
// is valid until the next.
#pragma once

#include <cstdint>
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

  Event role(uint32_t choice, const Usage& usage);
  // `text` gets the tokens' text appended (the caller's checksum needs it).
  Event token(const Token& token, const Usage& usage, std::string& text);
  Event finish(uint32_t choice, const char* reason, const Usage& usage);  // without a token
  Event usage(const Usage& usage);
  Event text(std::string_view event_lines);  // LF lines as they are, or with CR LF where the shape says so

  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const;

 private:
  void begin();
  void append_usage(std::string& out, const Usage& usage) const;
  void open_choice(uint32_t choice);
  void delta(const Token& token, std::string_view text);
  Event end(bool stamped, uint32_t stream, uint32_t seq);

  const Generation& generation_;
  ChunkBuffer& buffer_;
  std::string start_;  // up to the choices' bracket
  std::string_view line_end_;
};

}  // namespace tokometer::sim

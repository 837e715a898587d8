// One generation request being answered: which bytes leave at the next due time, faults included, and what is
// noted about them. It knows no timers: the Server calls advance() when tokens are due and does what the
// answer says. Owned by its Connection, which must outlive it; single thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "sim/events.hpp"
#include "sim/generation.hpp"
#include "sim/lateness.hpp"
#include "sim/metrics.hpp"
#include "sim/truth_log.hpp"

namespace tokometer::sim {

class Connection;

// What all exchanges of a server share.
struct Books {
  explicit Books(const Clock& time) : clock(time) {}

  const Clock& clock;
  TruthLog* truth = nullptr;  // null: no truth log
  bool truth_lost = false;    // it could not be written
  Lateness lateness;
  Metrics metrics;
  ChunkBuffer chunk;
  std::string text, tail;  // scratch, kept for their memory
};

class Exchange {
 public:
  enum class Next {
    tokens,  // the next event is due as the pace says
    later,   // call advance() again at `at_ns` (a stall, a comment)
    done,    // the reply is complete
    close,   // close the connection, after what is unsent
    reset,   // reset it now
  };
  struct Step {
    Next next;
    int64_t at_ns = 0;
  };

  Exchange(Books& books, Connection& connection, Generation generation, uint32_t stream, int64_t received_ns,
           int64_t cached);

  // The head of a streamed reply, and what comes before the first token.
  Step start();
  // The next event is due, or the silence asked for is over.
  Step advance(int64_t due_ns);
  // Mode model: the engine made a token; when there are enough for an event, advance() may be called.
  void token_ready() { ++ready_; }
  bool can_advance() const { return !stalled_ && ready_ > 0 && ready_ >= event_size(); }
  void resume() { stalled_ = false; }
  // ": keep-alive" if the stream has been silent for so long. Returns when to ask again; 0: never.
  int64_t comment(int64_t now_ns);
  Step abort();  // the server shuts down
  // Notes the end in the truth log and the metrics. Once.
  void end(std::string_view outcome);

  const Generation& generation() const { return generation_; }
  uint32_t stream() const { return stream_; }
  uint64_t events() const { return events_; }  // token events so far, per choice
  int64_t cached() const { return cached_; }   // prompt tokens in the prefix cache; -1: no such cache
  int64_t received_ns() const { return received_ns_; }
  void set_entered(int64_t at_ns) {  // has left the waiting queue; the first time counts
    if (entered_ns_ == received_ns_) entered_ns_ = at_ns;
  }
  std::string_view outcome() const { return outcome_; }

 private:
  uint64_t event_size() const;
  bool fault_is_due() const;
  Step fire(int64_t due_ns);
  Step without_tokens(int64_t due_ns);
  void send_head(int status = 200);
  void send_roles();
  void send_tokens(int64_t due_ns);
  int64_t send_event(EventWriter::Event event, int64_t due_ns, uint64_t tokens);  // returns its send time
  void send(std::string_view bytes);
  Step finish(bool done_event, const char* reason);
  Step finish_whole(const char* reason, int64_t due_ns);
  Step end_of_reply();
  Usage usage() const;
  const char* finish_reason() const;
  void note_token(int64_t now_ns);
  const char* route() const;
  std::string truth_line(std::string_view outcome, int64_t end_ns) const;

  Books& books_;
  Connection& connection_;
  Generation generation_;
  std::unique_ptr<EventWriter> writer_;
  uint32_t stream_;
  int64_t arrived_ns_;  // at the socket
  int64_t received_ns_, cached_;
  int64_t entered_ns_, first_ns_ = 0, last_ns_ = 0, last_write_ns_ = 0;
  uint64_t sent_ = 0, ready_ = 0,
           events_ = 0;  // tokens of each choice; those that wait for their event; events
  uint32_t seq_ = 0;
  uint32_t blocked_ = 0;  // events that met a full socket: their "sent" is when they were queued
  bool head_sent_ = false, fault_done_ = false, stalled_ = false;
  Crc32c crc_;  // of choice 0's text
  std::string_view outcome_ = "complete";
};

}  // namespace tokometer::sim

// Plays the host for a response: opens a stream, feeds it bytes cut in any way, and writes down what the
// processor says, one line an event. Every rule of abi.h about events is checked on the way.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "check/fixtures.hpp"
#include "plugin/handles.hpp"

namespace tokometer::check {

// Where to cut: given the bytes that are left, how many come next (at least 1).
using Cut = std::function<size_t(size_t left)>;
Cut whole();
Cut pieces_of(size_t bytes);
Cut split_at(size_t first);       // [0, first) and the rest
Cut cut_randomly(uint64_t seed);  // 1 to 300 bytes

// 64 bytes that a parser which reads past the end of a piece would gladly take.
inline constexpr std::string_view kHostileBytes =
    "\"},\"x\":1}]}\n\ndata: {\"error\":\"read past the end!\"}\n\ndata: [DONE]\n";
static_assert(kHostileBytes.size() == 64);

struct Played {
  std::string events;                // each with LF at its end
  std::string failure;               // the processor's own: a negative status, with its sentence; empty: none
  std::string fault;                 // the first event that breaks a rule of abi.h; empty: none
  std::vector<std::string> metrics;  // the names told
  int errors = 0;                    // error events
};

struct PlayOptions {
  Cut cut = whole();
  std::string_view behind = kHostileBytes;  // what follows each piece, 64 bytes
  size_t close_after = SIZE_MAX;            // close the stream after so many bytes, without an end
  uint32_t newer_host_bytes = 0;            // so much larger are the structs of a host of tomorrow
};

// One response that is being played, for turns taken between several.
class Playing {
 public:
  Playing(Processor& processor, const Response& response, PlayOptions options);
  ~Playing();
  Playing(const Playing&) = delete;
  Playing& operator=(const Playing&) = delete;

  bool step();  // head, a piece, or the end; false: it is over
  const Played& played() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Played play(Processor& processor, const Response& response, PlayOptions options = {});

// An event of an author's file as a line: ["finish", 0, "stop", "stop"] -> "finish 0 stop stop\n".
std::string event_line(const tkm::Json& event);

// "event 3 is `done`, not `began`": the first difference; empty: equal.
std::string first_difference(std::string_view expected, std::string_view got);

}  // namespace tokometer::check

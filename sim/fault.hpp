// A failure on demand: what the header X-Tkm-Sim or the option `failure` asks for, as in
//   X-Tkm-Sim: fault=status; code=429; retry_after=2       X-Tkm-Sim: fault=error; after=3; form=tgi_chat
// docs/internals/simulator.md lists the kinds and their parameters. Plain values; parsing is pure.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "sim/shape.hpp"

namespace tokometer::sim {

enum class FaultKind {
  none,
  status,         // an error status: code, body (form), retry_after
  html,           // 200 with an HTML page
  gzip,           // the head says content-encoding: gzip
  not_streamed,   // one JSON body though a stream was asked
  empty,          // 200, an event stream without an event
  done_only,      // [DONE] and nothing else
  role_only,      // role chunk, finish, [DONE]: no token
  error,          // an error event under 200: after, form, done
  abort,          // finish_reason abort: after
  stall,          // silence: at (head, first, token), after, for
  rst,            // connection reset: at (head, token), after
  fin,            // connection closed: at (head, token), after
  cut_json,       // an event cut in the middle, then the end: after
  no_done,        // no [DONE]
  double_done,    // [DONE] twice
  no_last_chunk,  // the connection closes where the last HTTP chunk belongs
  wrong_model,    // another model's name in every event
  usage_off,      // completion_tokens wrong by `by`
  usage_missing,
  usage_zero,
  no_finish,      // finish_reason stays null
  short_output,   // `by` tokens fewer than asked
  comments_only,  // keep-alive comments for ever, 10 ms apart
  close,          // closes after the reply: announced
  goaway,         // HTTP/2: GOAWAY that refuses the streams begun later: at (head, token), after
  grpc_status,    // gRPC: ends with the status `code`: at (head, token), after
  no_trailers,    // gRPC: ends without a status
  compressed,     // gRPC: a message with the compressed flag: after
  huge_message,   // gRPC: a message that says it has 64 MiB: after
  cut_message,    // gRPC: half a message, then a status that says all is well: after
};

struct Fault {
  FaultKind kind = FaultKind::none;
  uint64_t after = 0;  // tokens that go before
  enum class At { head, first, token } at = At::token;
  int code = 500;
  std::string form = "vllm";  // error event: vllm, sglang, tgi, tgi_chat, llama_cpp, triton, event
  std::string body =
      "nested";  // error body: nested, flat, tgi, fastapi, fastapi_list, triton, bare, html, text, empty
  std::string retry_after;
  int64_t for_ns = 3'600'000'000'000;  // stall
  int64_t by = 1;
  bool done = true;       // [DONE] after an error event
  bool announced = true;  // close: with "connection: close"
};

// Reads "fault=rst; after=3; itl=1ms" (the first word may stand without "fault="). Keys that are no part of a
// fault change `shape`. Fails, with the nearest name, on unknown words.
Result<Fault> parse_fault(std::string_view text, Shape& shape);

// The word of the fault, as in the header.
std::string_view fault_name(FaultKind kind);

}  // namespace tokometer::sim

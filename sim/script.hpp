// A case file for mode `script`: what a hostile server does, byte by byte. One step a line:
//
//   play on request | play on accept       when it begins (request is the default)
//   send "HTTP/1.1 200 OK\r\n..."          bytes as they are; escapes \r \n \t \0 \\ \" \xHH
//   chunk "..."                            the same, as one HTTP chunk
//   event {"choices":[]}                   "data: " + the rest of the line + blank line, as one HTTP chunk
//   head 200 text/event-stream             status line, content-type, chunked
//   last                                   the last HTTP chunk
//   wait 50ms    fin    rst    hang        hang: silent for ever
//   repeat 1000 chunk "x"                  a step many times
//   expect ...                             for the reader of the file; ignored here, as are # comments
//
// Parsing is pure; ScriptPlay is the place where one connection is in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace tokometer::sim {

struct ScriptStep {
  enum class Kind { send, wait, fin, rst, hang } kind = Kind::send;
  std::string bytes = {};
  int64_t wait_ns = 0;
  uint64_t times = 1;
};

struct Script {
  bool on_accept = false;
  std::vector<ScriptStep> steps;
};

// `file` names it in messages.
Result<Script> parse_script(std::string_view text, const std::string& file);

class ScriptPlay {
 public:
  explicit ScriptPlay(const Script& script) : script_(script) {}
  // The next step; null: the script is over.
  const ScriptStep* next();
  bool waits = false;  // for a time, or for ever: a writable socket does not go on with it

 private:
  const Script& script_;
  size_t at_ = 0;
  uint64_t played_ = 0;  // times of the step at at_
};

}  // namespace tokometer::sim

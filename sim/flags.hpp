// The command line of the simulator, made from the one schema of its options: each key is a flag
// (--tokens-per-event 4,
// --crlf, --adapters a,b, --stall '{"at":"2s","for":"500ms"}'), and --options takes them all as JSON. Later
// ones win. Pure: arguments in, JSON out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace tokometer::sim {

struct CommandLine {
  std::string options_json;  // checked against the schema, defaults filled in, durations in seconds
  std::string host = "127.0.0.1";
  uint16_t port = 0;             // 0: any free one
  bool exit_with_stdin = false;  // end when stdin does, and with the parent process
  bool help = false, version = false;
};

// All faults at once, each with the nearest flag, value or key.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments, std::string_view schema);

// What --help prints.
std::string help_text(std::string_view schema);

}  // namespace tokometer::sim

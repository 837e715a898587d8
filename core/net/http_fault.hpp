// What is wrong with a response: a failure class and a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace tokometer {

struct HttpFault {
  std::string cls;      // "framing", "truncated", "limit" or "encoding"
  std::string message;  // what is wrong, foreign text escaped and cut
};

// `"HTTP/1.1 2 OK\x0d..."`, for messages.
inline std::string quote_foreign(std::string_view text) {
  return "\"" + escape_terminal(text) + "\"";
}

inline HttpFault limit_fault(std::string_view what, uint64_t limit, std::string_view unit) {
  return {"limit", std::string(what) + ": more than " + std::to_string(limit) + " " + std::string(unit)};
}

}  // namespace tokometer

// Judges a whole response head, or whole trailers: Boost.Beast's basic_parser, and checks of what it lets
// pass. For http1.cpp, which gathers the bytes, so that a response is judged alike however it was cut.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "net/http1.hpp"

namespace tokometer {

struct ParsedHead {
  ResponseHead head;  // status: 100 to 599; views live until this thread's next call of parse_head()
  bool has_body = false;
  bool is_chunked = false;
  bool until_eof = false;  // the body: neither chunked nor of a length that was told
};

// bytes: with the empty line. They have to outlive the views.
std::variant<ParsedHead, HttpFault> parse_head(std::string_view bytes, const HttpLimits& limits);

// bytes: what follows the last chunk, with the empty line.
std::optional<HttpFault> check_trailers(std::string_view bytes, const HttpLimits& limits);

}  // namespace tokometer

// How servers say that something went wrong: the bodies of error replies and the events of failures under
// HTTP 200, each in the form of the server that has it. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace tokometer::sim {

// The body of an error reply in a server's form, and its media type (empty body: no media type).
struct ErrorBody {
  std::string_view media_type;
  std::string text;
};
ErrorBody error_body(std::string_view form, int status, std::string_view message);

// "data: {...}\n\n" (or event: error) with which a server's dialect reports a failure under HTTP 200.
std::string error_event(std::string_view form, int code, std::string_view message);

std::string_view reason_phrase(int status);

}  // namespace tokometer::sim

// Compact JSON made readable: a line for each member and item down to a depth. Deeper values, and those that
// hold no other object or array, stay on one line. For core/report, and for matrix.json in cli.
#pragma once

#include <string>
#include <string_view>

namespace tokometer {

// `json` must be one valid JSON text without blanks between its parts. Ends with a newline.
std::string broken_into_lines(std::string_view json, int depth);

}  // namespace tokometer

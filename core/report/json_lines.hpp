// Compact JSON made readable: a line for each member and item down to a depth, deeper values stay on one line.
// Private to core/report.
#pragma once

#include <string>
#include <string_view>

namespace tokometer {

// `json` must be one valid JSON text without blanks between its parts. Ends with a newline.
std::string broken_into_lines(std::string_view json, int depth);

}  // namespace tokometer

// A header field, of a request or of a response.
#pragma once

#include <string_view>

namespace tokometer {

struct Field {
  std::string_view name;   // as the peer wrote it
  std::string_view value;  // without blanks around it; any byte but CR, LF, NUL
};

}  // namespace tokometer

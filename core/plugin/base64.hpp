// Base64 as profiles use it for bytes that are no text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tokometer {

// RFC 4648 with the padding in place; nothing for any other text.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace tokometer

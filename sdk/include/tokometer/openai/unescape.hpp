// The inside of a JSON string as text, for strings that are found without a JSON parser (event_shape.hpp).
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/openai/json_scratch.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace tkm {

namespace json_detail {

inline void append_utf8(std::string& out, unsigned code) {
  const auto byte = [&](unsigned bits) { out.push_back(static_cast<char>(bits)); };
  const auto rest = [&](unsigned shift) { byte(0x80u | ((code >> shift) & 0x3Fu)); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) return byte(0xC0u | (code >> 6u)), rest(0);
  if (code < 0x10000) return byte(0xE0u | (code >> 12u)), rest(6), rest(0);
  byte(0xF0u | (code >> 18u)), rest(12), rest(6), rest(0);
}

// Appends the character of the escape at the start of `text`; the bytes used, 0: leave this one to the
// parser.
inline size_t unescape_one(std::string_view text, std::string& out) {
  constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
  if (text.size() < 2) return 0;
  if (const size_t simple = kFrom.find(text[1]); simple != kFrom.npos) return out.push_back(kTo[simple]), 2;
  const auto unit = escaped_unit(text);
  if (!unit || is_low_surrogate(*unit)) return 0;
  if (!is_high_surrogate(*unit)) return append_utf8(out, *unit), 6;
  const auto low = escaped_unit(text.substr(6));
  if (!low || !is_low_surrogate(*low)) return 0;
  return append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10u) + (*low - 0xDC00)), 12;
}

}  // namespace json_detail

// `escaped` itself where nothing is escaped, else `scratch`, which gets the text. Nothing: not the inside of
// one clean string (a quote, a control character, bad UTF-8).
inline std::optional<std::string_view> unescape(std::string_view escaped, std::string& scratch) {
  size_t plain = json_detail::plain_prefix(escaped);
  if (plain == escaped.size()) return escaped;
  scratch.clear();
  for (std::string_view rest = escaped; !rest.empty(); plain = json_detail::plain_prefix(rest)) {
    scratch.append(rest.substr(0, plain));
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    const bool is_escape = rest.front() == '\\';
    const size_t used = is_escape ? json_detail::unescape_one(rest, scratch) : json_detail::utf8_length(rest);
    if (used == 0) return std::nullopt;
    if (!is_escape) scratch.append(rest.substr(0, used));
    rest.remove_prefix(used);
  }
  return scratch;
}

}  // namespace tkm

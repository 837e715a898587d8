// Text as the inside of a JSON string, and what is valid UTF-8. Many bytes at a time where nothing needs
// escaping, since request bodies are mostly plain text. Included by <tokometer/json.hpp>.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tkm {

namespace json_detail {

// For each byte: 0 stands as it is, 'u' needs \u00XX, 1 begins a multi-byte character, else the letter after
// '\'.
inline constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (size_t byte = 0; byte < 0x20; ++byte) table[byte] = 'u';
  for (size_t byte = 0x80; byte < 0x100; ++byte) table[byte] = 1;
  table['"'] = '"', table['\\'] = '\\', table['\b'] = 'b', table['\f'] = 'f', table['\n'] = 'n',
  table['\r'] = 'r', table['\t'] = 't';
  return table;
}();

// Does any of eight bytes need a look: a control character, '"', '\' or a byte of a multi-byte character?
inline bool needs_look(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  const auto has_zero = [](uint64_t word) { return (word - kOnes) & ~word & kHighs; };
  const uint64_t control = (bytes - kOnes * 0x20) & ~bytes & kHighs;
  return ((bytes & kHighs) | control | has_zero(bytes ^ kOnes * '"') | has_zero(bytes ^ kOnes * '\\')) != 0;
}

// How many bytes at the start of `text` are ASCII, counted in whole words of eight.
inline size_t ascii_words(std::string_view text) {
  size_t at = 0;
  for (uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & 0x8080808080808080) != 0) break;
  }
  return at;
}

// How many bytes at the start of `text` stand in a JSON string as they are.
inline size_t plain_prefix(std::string_view text) {
  size_t at = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), blank = _mm_set1_epi8(' ');
  for (; at + sizeof(__m128i) <= text.size(); at += sizeof(__m128i)) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
    // As signed numbers, control characters and bytes of multi-byte characters are all below ' '.
    const int found = _mm_movemask_epi8(_mm_or_si128(special, _mm_cmplt_epi8(bytes, blank)));
    if (found != 0) return at + static_cast<size_t>(__builtin_ctz(static_cast<unsigned>(found)));
  }
#endif
  for (uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if (needs_look(word)) break;
  }
  while (at < text.size() && kEscapes[static_cast<unsigned char>(text[at])] == 0) ++at;
  return at;
}

// The length of the well-formed UTF-8 character at the start of `text` (its first byte is not ASCII); 0:
// malformed.
inline size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  const auto continues = [&](size_t at) { return (byte(at) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0), second = byte(1);
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0, surrogate = first == 0xED && second > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90, too_large = first == 0xF4 && second > 0x8F;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace json_detail

// Appends `text` to `out` as the inside of a JSON string. A byte that is no valid UTF-8 becomes U+FFFD, so
// the result is always valid JSON.
inline void append_json_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const size_t plain = json_detail::plain_prefix(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const auto byte = static_cast<unsigned char>(text.front());
    const char escape = json_detail::kEscapes[byte];
    size_t used = 1;
    if (escape == 1) {
      used = json_detail::utf8_length(text);
      out.append(used != 0 ? text.substr(0, used) : std::string_view("\xEF\xBF\xBD"));
      if (used == 0) used = 1;
    } else if (escape == 'u') {
      constexpr std::string_view kHex = "0123456789abcdef";
      out.append("\\u00").push_back(kHex[byte >> 4u]);
      out.push_back(kHex[byte & 15u]);
    } else {
      out.push_back('\\');
      out.push_back(escape);
    }
    text.remove_prefix(used);
  }
}

// Where the first byte stands that is no valid UTF-8; npos: all of `text` is valid.
inline size_t invalid_utf8_at(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    at += json_detail::ascii_words(text.substr(at));
    if (at == text.size()) break;
    const size_t used =
        static_cast<unsigned char>(text[at]) < 0x80 ? 1 : json_detail::utf8_length(text.substr(at));
    if (used == 0) return at;
    at += used;
  }
  return std::string_view::npos;
}

}  // namespace tkm

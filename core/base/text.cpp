#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <vector>

namespace tokometer {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr std::array<Unit, 6> kDurationUnits{{{"h", 3'600'000'000'000},
                                              {"m", 60'000'000'000},
                                              {"s", 1'000'000'000},
                                              {"ms", 1'000'000},
                                              {"us", 1'000},
                                              {"ns", 1}}};
constexpr std::array<Unit, 10> kSizeUnits{{{"TiB", int64_t{1} << 40},
                                           {"GiB", int64_t{1} << 30},
                                           {"MiB", int64_t{1} << 20},
                                           {"KiB", int64_t{1} << 10},
                                           {"TB", 1'000'000'000'000},
                                           {"GB", 1'000'000'000},
                                           {"MB", 1'000'000},
                                           {"KB", 1'000},
                                           {"kB", 1'000},
                                           {"B", 1}}};
constexpr size_t kMaxFractionDigits = 12;

std::string folded(std::string_view word) {
  std::string result(word);
  for (char& c : result) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

// Optimal string alignment: insertions, deletions, replacements, swaps of neighbours.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({replaced, last[j] + 1, now[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::string_view take_digits(std::string_view& text) {
  const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  return digits;
}

int64_t number_of(std::string_view digits) {
  int64_t value = -1;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return read.ec == std::errc() ? value : -1;
}

// digits [. digits] unit, exact: a fraction that gives no whole number of the smallest unit is no value.
std::optional<int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  const std::string_view whole_digits = take_digits(text);
  std::string_view fraction_digits;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction_digits = take_digits(text);
    if (fraction_digits.empty() || fraction_digits.size() > kMaxFractionDigits) return std::nullopt;
  }
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text; });
  const int64_t whole = number_of(whole_digits);
  if (unit == units.end() || whole < 0) return std::nullopt;
  // A quotient of at most 10^12 by at most 2^40 fits into 128 bits with room to spare.
  __extension__ using Wide = __int128;
  Wide scale = 1;
  for (size_t i = 0; i < fraction_digits.size(); ++i) scale *= 10;
  const Wide fraction = fraction_digits.empty() ? Wide{0} : Wide{number_of(fraction_digits)} * unit->factor;
  if (fraction % scale != 0) return std::nullopt;
  const Wide value = Wide{whole} * unit->factor + fraction / scale;
  if (value > std::numeric_limits<int64_t>::max()) return std::nullopt;
  return static_cast<int64_t>(value);
}

// The value in this unit, if at most three decimals say it exactly and it is at least 1.
std::string in_unit(int64_t value, const Unit& unit) {
  const int64_t whole = value / unit.factor, rest = value % unit.factor;
  if (whole == 0) return {};
  std::string text = std::to_string(whole);
  if (rest != 0) {
    if (unit.factor % 1000 != 0 || rest % (unit.factor / 1000) != 0) return {};
    std::string decimals = std::to_string(1000 + rest / (unit.factor / 1000)).substr(1);
    decimals.erase(decimals.find_last_not_of('0') + 1);
    text += "." + decimals;
  }
  return text.append(unit.name);
}

std::string shortest(int64_t value, std::span<const Unit> units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  std::string best;
  for (const Unit& unit : units) {
    std::string text = in_unit(value, unit);
    if (!text.empty() && (best.empty() || text.size() < best.size())) best = std::move(text);
  }
  return best;
}

// The character at the start of a text: its length in bytes, 0 if it is not valid UTF-8.
size_t decode_utf8(std::string_view text, char32_t& character) {
  const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return character = first, 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  char32_t value = first & (0x7Fu >> length);
  for (size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xC0u) != 0x80u) return 0;
    value = value << 6u | (byte(at) & 0x3Fu);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || surrogate || value > 0x10FFFF) return 0;
  character = value;
  return length;
}

// Characters that a terminal obeys, or that a reader cannot see.
bool is_invisible(char32_t c) {
  constexpr std::array<std::array<char32_t, 2>, 13> kRanges{{{0x00, 0x1F},
                                                             {0x7F, 0x9F},
                                                             {0xAD, 0xAD},
                                                             {0x61C, 0x61C},
                                                             {0x115F, 0x1160},
                                                             {0x180E, 0x180E},
                                                             {0x200B, 0x200F},
                                                             {0x2028, 0x202E},
                                                             {0x2060, 0x206F},
                                                             {0x3164, 0x3164},
                                                             {0xFEFF, 0xFEFF},
                                                             {0xFFF9, 0xFFFB},
                                                             {0xE0000, 0xE007F}}};
  return std::any_of(kRanges.begin(), kRanges.end(),
                     [c](const auto& range) { return c >= range[0] && c <= range[1]; });
}

std::string in_hex(char32_t value, size_t digits) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text(digits, '0');
  for (size_t i = digits; i-- > 0; value >>= 4u) text[i] = kHex[value & 15u];
  return text;
}

std::string made_visible(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  if (c < 0x80) return "\\x" + in_hex(c, 2);
  return c > 0xFFFF ? "\\U" + in_hex(c, 8) : "\\u" + in_hex(c, 4);
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> names) {
  constexpr size_t kLongest = 64;
  if (word.empty() || word.size() > kLongest) return std::nullopt;
  const std::string wanted = folded(word);
  size_t best = std::max<size_t>(1, word.size() / 3) + 1;
  std::optional<std::string> nearest;
  for (const std::string& name : names) {
    if (name.size() > kLongest) continue;
    const size_t distance = edit_distance(wanted, folded(name));
    if (distance < best && distance < name.size()) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

std::optional<int64_t> parse_duration_ns(std::string_view text) {
  return parse_with_unit(text, kDurationUnits);
}

std::optional<int64_t> parse_size_bytes(std::string_view text) {
  return parse_with_unit(text, kSizeUnits);
}

std::string format_duration(int64_t ns) {
  if (ns >= 0) return shortest(ns, kDurationUnits, "0s");
  if (ns == std::numeric_limits<int64_t>::min()) return std::to_string(ns) + "ns";
  return "-" + shortest(-ns, kDurationUnits, "0s");
}

std::string format_size(int64_t bytes) {
  return bytes < 0 ? std::to_string(bytes) + "B" : shortest(bytes, kSizeUnits, "0B");
}

std::string escape_terminal(std::string_view foreign, size_t max_bytes) {
  constexpr std::string_view kCut = "...";
  std::string result;
  size_t room_for_cut = 0;  // the longest prefix after which kCut still fits
  while (!foreign.empty() && result.size() <= max_bytes) {
    char32_t character = 0;
    const size_t length = decode_utf8(foreign, character);
    if (length == 0) {
      result += "\\x" + in_hex(static_cast<unsigned char>(foreign.front()), 2);
    } else if (is_invisible(character)) {
      result += made_visible(character);
    } else {
      result += foreign.substr(0, length);
    }
    foreign.remove_prefix(std::max<size_t>(length, 1));
    if (result.size() + kCut.size() <= max_bytes) room_for_cut = result.size();
  }
  if (result.size() <= max_bytes && foreign.empty()) return result;
  return result.substr(0, room_for_cut).append(kCut.substr(0, max_bytes));
}

bool is_valid_utf8(std::string_view text) {
  char32_t ignored = 0;
  while (!text.empty()) {
    const size_t length = decode_utf8(text, ignored);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  uint32_t bits = 0, held = 0;
  for (const char c : bytes) {
    bits = bits << 8u | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) text.push_back(kAlphabet[bits >> (held - 6) & 63u]);
  }
  if (held > 0) text.push_back(kAlphabet[bits << (6 - held) & 63u]);
  return text;
}

}  // namespace tokometer

// The shape of a token event, learned from one that was parsed in full. Events of one response differ in
// their text and their choice index only; if all other bytes equal those of the learned event, so does the
// meaning, and no JSON parser is needed (some 40 ns an event in place of 1,000). Anything else fails to match
// and is parsed.
//
// One a stream, so its size is fixed; shapes that do not fit are not learned.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/openai/json_scratch.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tkm {

namespace template_detail {

// Where the value of the only `"key":` in `event` begins; nothing if the key is there twice or not at all.
inline std::optional<size_t> value_at(std::string_view event, std::string_view quoted_key) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t key = event.find(quoted_key);
  if (key == event.npos || event.find(quoted_key, key + 1) != event.npos) return std::nullopt;
  const size_t before = event.find_last_not_of(kBlank, key == 0 ? 0 : key - 1);
  if (before == event.npos || (event[before] != '{' && event[before] != ',')) return std::nullopt;
  size_t at = event.find_first_not_of(kBlank, key + quoted_key.size());
  if (at == event.npos || event[at] != ':') return std::nullopt;
  at = event.find_first_not_of(kBlank, at + 1);
  return at == event.npos ? std::nullopt : std::optional(at);
}

// The closing quote of the string whose inside begins at `at`.
inline size_t string_end(std::string_view event, size_t at) {
  while (at < event.size() && event[at] != '"') at += event[at] == '\\' ? 2 : 1;
  return at;
}

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
  const auto unit = json_detail::escaped_unit(text);
  if (!unit || json_detail::is_low_surrogate(*unit)) return 0;
  if (!json_detail::is_high_surrogate(*unit)) return append_utf8(out, *unit), 6;
  const auto low = json_detail::escaped_unit(text.substr(6));
  if (!low || !json_detail::is_low_surrogate(*low)) return 0;
  return append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10u) + (*low - 0xDC00)), 12;
}

}  // namespace template_detail

// Some servers end each event with a text that is new each time and says nothing: OpenAI's padding against
// eavesdroppers ("obfuscation", sent unless asked not to), tokometer-sim's stamp ("tkm"). The event without
// it: up to and with the quote that begins it. Any other event: itself.
inline std::string_view without_noise(std::string_view event) {
  constexpr std::string_view kKeys[] = {",\"obfuscation\":\"", ",\"tkm\":\""};
  if (!event.ends_with("\"}")) return event;
  const void* const quote = ::memrchr(event.data(), '"', event.size() - 2);  // many times faster than rfind()
  if (quote == nullptr) return event;
  const auto begin = static_cast<size_t>(static_cast<const char*>(quote) - event.data()) + 1;
  const std::string_view rest = event.substr(0, begin), noise = event.substr(begin);
  if (json_detail::plain_prefix(noise) + 2 != noise.size()) return event;
  const auto is_end = [&](std::string_view key) { return rest.ends_with(key); };
  return std::any_of(std::begin(kKeys), std::end(kKeys), is_end) ? rest : event;
}

// Turns the inside of a JSON string into its text: `escaped` itself where nothing is escaped, else `scratch`.
// Nothing: not the inside of one clean string (a quote, a control character, bad UTF-8).
inline std::optional<std::string_view> unescape(std::string_view escaped, std::string& scratch) {
  size_t plain = json_detail::plain_prefix(escaped);
  if (plain == escaped.size()) return escaped;
  scratch.clear();
  for (std::string_view rest = escaped; !rest.empty(); plain = json_detail::plain_prefix(rest)) {
    scratch.append(rest.substr(0, plain));
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    const bool is_escape = rest.front() == '\\';
    const size_t used =
        is_escape ? template_detail::unescape_one(rest, scratch) : json_detail::utf8_length(rest);
    if (used == 0) return std::nullopt;
    if (!is_escape) scratch.append(rest.substr(0, used));
    rest.remove_prefix(used);
  }
  return scratch;
}

class EventTemplate {
 public:
  struct Match {
    uint32_t choice = 0;
    std::string_view escaped;  // the inside of the JSON string
  };

  // From an event that had one choice and, apart from its text under `quoted_key`, no news.
  void learn(std::string_view event, std::string_view quoted_key, int32_t channel, uint32_t choice) {
    parts_ = {};
    channel_ = channel;
    choice_ = choice;
    const auto text = template_detail::value_at(event, quoted_key);
    if (!text || event[*text] != '"') return;
    const size_t end = template_detail::string_end(event, *text + 1);
    if (end >= event.size()) return;
    const std::string_view head = event.substr(0, *text + 1), tail = event.substr(end);
    const bool is_plain =
        head.find('\\') == head.npos && tail.find('\\') == tail.npos;  // keys stand as they are
    if (is_plain && head.size() + tail.size() <= bytes_.size()) store(head, tail);
  }

  std::optional<Match> match(std::string_view event) const {
    const size_t fixed = size_t{parts_.head} + parts_.middle + parts_.tail;
    if (fixed == 0 || event.size() < fixed) return std::nullopt;
    if (std::memcmp(event.data(), bytes_.data(), parts_.head) != 0) return std::nullopt;
    Match it{.choice = choice_, .escaped = event.substr(parts_.head)};
    if (parts_.middle > 0 && !take_index(it)) return std::nullopt;
    const std::string_view tail(bytes_.data() + parts_.head + parts_.middle, parts_.tail);
    if (!it.escaped.ends_with(tail)) return std::nullopt;
    it.escaped.remove_suffix(tail.size());
    return it;
  }

  int32_t channel() const { return channel_; }

 private:
  // What the learned event holds up to the index, between it and the text, and after the text.
  struct Parts {
    uint16_t head = 0, middle = 0, tail = 0;
  };

  void store(std::string_view head, std::string_view tail) {
    const auto [index_at, index_end] = index_in(head, tail);
    const std::string_view middle = head.substr(index_end);
    char* end = std::copy_n(head.data(), index_at, bytes_.data());
    end = std::copy_n(middle.data(), middle.size(), end);
    std::copy_n(tail.data(), tail.size(), end);
    parts_ = {static_cast<uint16_t>(index_at), static_cast<uint16_t>(middle.size()),
              static_cast<uint16_t>(tail.size())};
  }

  // Where in `head` the digits of the choice's index stand; both its end where they cannot be told for sure.
  std::pair<size_t, size_t> index_in(std::string_view head, std::string_view tail) const {
    const auto at = template_detail::value_at(head, "\"index\"");
    uint32_t index = 0;
    if (at && tail.find("\"index\"") == tail.npos) {
      const auto read = std::from_chars(head.data() + *at, head.data() + head.size(), index);
      if (read.ec == std::errc() && index == choice_)
        return {*at, static_cast<size_t>(read.ptr - head.data())};
    }
    return {head.size(), head.size()};
  }

  // Takes the index and what stands between it and the text off the front.
  bool take_index(Match& it) const {
    const char* const begin = it.escaped.data();
    const auto read = std::from_chars(begin, begin + it.escaped.size(), it.choice);
    const auto digits = static_cast<size_t>(read.ptr - begin);
    if (read.ec != std::errc() || (digits > 1 && *begin == '0')) return false;
    it.escaped.remove_prefix(digits);
    const std::string_view middle(bytes_.data() + parts_.head, parts_.middle);
    if (!it.escaped.starts_with(middle)) return false;
    it.escaped.remove_prefix(middle.size());
    return true;
  }

  std::array<char, 288> bytes_;
  Parts parts_;
  int32_t channel_ = 0;
  uint32_t choice_ = 0;
};

}  // namespace tkm

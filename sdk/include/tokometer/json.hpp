// JSON for plugins and for the core: the one way to RapidJSON. A parser that no input can take down
// (iterative, depth limited, whole text or nothing), getters that answer with a fallback instead of failing,
// and a writer that escapes while it appends to a string, for request bodies in the hot path:
//
//   tkm::JsonWriter json(body);
//   json.begin_object().member("model", name).key("messages").begin_array() ... .end_array().end_object();
//
// Nothing here keeps a reference past the call, but for JsonWriter, which refers to its string while it
// lives.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tkm {

using Json = rapidjson::Value;
using JsonDocument = rapidjson::Document;

inline constexpr int kMaxJsonDepth = 64;  // arrays and objects inside each other

namespace json_detail {

// Passes SAX events on and ends the parse where the nesting becomes too deep.
template <class Handler>
class DepthLimited {
 public:
  using Ch = char;
  explicit DepthLimited(Handler& next) : next_(next) {}

  bool Null() { return next_.Null(); }
  bool Bool(bool value) { return next_.Bool(value); }
  bool Int(int value) { return next_.Int(value); }
  bool Uint(unsigned value) { return next_.Uint(value); }
  bool Int64(int64_t value) { return next_.Int64(value); }
  bool Uint64(uint64_t value) { return next_.Uint64(value); }
  bool Double(double value) { return next_.Double(value); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool copy) {
    return next_.RawNumber(text, size, copy);
  }
  bool String(const char* text, rapidjson::SizeType size, bool copy) {
    return next_.String(text, size, copy);
  }
  bool Key(const char* text, rapidjson::SizeType size, bool copy) { return next_.Key(text, size, copy); }
  bool StartObject() { return ++depth_ <= kMaxJsonDepth && next_.StartObject(); }
  bool StartArray() { return ++depth_ <= kMaxJsonDepth && next_.StartArray(); }
  bool EndObject(rapidjson::SizeType count) { return --depth_, next_.EndObject(count); }
  bool EndArray(rapidjson::SizeType count) { return --depth_, next_.EndArray(count); }

 private:
  Handler& next_;
  int depth_ = 0;
};

}  // namespace json_detail

// An event (SAX) reader for hot paths: `handler` has RapidJSON's handler methods (derive from JsonEvents and
// override what is needed). It keeps its scratch memory from parse to parse, so parsing allocates nothing
// once warm. Texts given to the handler are valid inside that call only. Not for two threads at once.
class JsonReader {
 public:
  // False: not one complete JSON text, deeper than kMaxJsonDepth, or the handler said stop (returned false).
  template <class Handler>
  bool parse(std::string_view text, Handler& handler) {
    json_detail::DepthLimited<Handler> limited(handler);
    rapidjson::MemoryStream stream(text.data(), text.size());
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag;
    const auto result = reader_.Parse<kFlags>(stream, limited);
    fault_offset_ = result.Offset();
    // RapidJSON takes a NUL for the end of the text; what follows one is not JSON.
    return !result.IsError() && stream.Tell() == text.size();
  }

  // Where the last failed parse gave up, in bytes from the start.
  size_t fault_offset() const { return fault_offset_; }

 private:
  rapidjson::Reader reader_;
  size_t fault_offset_ = 0;
};

// A handler that takes every event and does nothing; hide the methods that matter (they are not virtual).
struct JsonEvents : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, JsonEvents> {};

// Parses one JSON text into `document`, which then owns copies of all strings. False: not JSON, too deep, or
// bytes after the value; `document` is null then, and `fault_offset` (if given) says at which byte it went
// wrong.
inline bool parse_json(std::string_view text, JsonDocument& document, size_t* fault_offset = nullptr) {
  JsonReader reader;
  bool good = false;
  const auto generate = [&](JsonDocument& handler) { return good = reader.parse(text, handler); };
  document.Populate(generate);
  if (!good) {
    document.SetNull();
    if (fault_offset != nullptr) *fault_offset = reader.fault_offset();
  }
  return good;
}

// The text of a string value, as a view into the document; empty for anything else.
inline std::string_view text_of(const Json& value) {
  if (!value.IsString()) return {};
  return {value.GetString(), value.GetStringLength()};
}

// The member `key` (the first, if there are several), or null if there is none or `object` is no object.
inline const Json* find(const Json& object, std::string_view key) {
  if (!object.IsObject()) return nullptr;
  for (auto member = object.MemberBegin(); member != object.MemberEnd(); ++member) {
    if (text_of(member->name) == key) return &member->value;
  }
  return nullptr;
}

// A value as a whole number: also 3.0, which is how some servers write 3. Nothing for other types, fractions,
// overflow.
inline std::optional<int64_t> int_of(const Json& value) {
  if (value.IsInt64()) return value.GetInt64();
  if (!value.IsDouble()) return std::nullopt;
  const double number = value.GetDouble();
  if (!(number >= -0x1p63 && number < 0x1p63) || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

// Members with a fallback, for a missing member and for one of another type alike.
inline std::string_view get_string(const Json& object, std::string_view key, std::string_view fallback = {}) {
  const Json* value = find(object, key);
  return value != nullptr && value->IsString() ? text_of(*value) : fallback;
}
inline int64_t get_int(const Json& object, std::string_view key, int64_t fallback = 0) {
  const Json* value = find(object, key);
  return value != nullptr ? int_of(*value).value_or(fallback) : fallback;
}
inline double get_number(const Json& object, std::string_view key, double fallback = 0) {
  const Json* value = find(object, key);
  return value != nullptr && value->IsNumber() ? value->GetDouble() : fallback;
}
inline bool get_bool(const Json& object, std::string_view key, bool fallback = false) {
  const Json* value = find(object, key);
  return value != nullptr && value->IsBool() ? value->GetBool() : fallback;
}

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

// How many bytes at the start of `text` stand in a JSON string as they are.
inline size_t plain_prefix(std::string_view text) {
  size_t at = 0;
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
    const size_t used = static_cast<unsigned char>(text[at]) < 0x80 ? 1 : json_detail::utf8_length(text.substr(at));
    if (used == 0) return at;
    at += used;
  }
  return std::string_view::npos;
}

// Writes JSON onto the end of a string, with commas where they belong. It trusts its caller to open, close
// and name things in the right order; it builds no tree and allocates only as the string grows.
class JsonWriter {
 public:
  // `out` must outlive the writer; what it holds already stays.
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name) {
    quote(name);
    out_.push_back(':');
    comma_ = false;
    return *this;
  }

  JsonWriter& value(std::string_view text) { return quote(text), *this; }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(std::nullptr_t) { return raw("null"); }
  JsonWriter& value(std::same_as<bool> auto flag) { return raw(flag ? "true" : "false"); }
  template <std::integral Number>
  requires(!std::same_as<Number, bool> && !std::same_as<Number, char>) JsonWriter& value(Number number) {
    return digits(number);
  }
  // The shortest text that reads back as the same number; infinities and NaN, which JSON has not, become
  // null.
  JsonWriter& value(std::floating_point auto number) {
    return std::isfinite(number) ? digits(static_cast<double>(number)) : raw("null");
  }
  // A parsed value, written as compact JSON.
  JsonWriter& value(const Json& json);

  // `json` must be one JSON value; it is written as it is.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_.append(json);
    comma_ = true;
    return *this;
  }
  // Opens and closes a string whose text comes in pieces. A character must not be cut between two pieces.
  JsonWriter& begin_string() { return separate(), out_.push_back('"'), *this; }
  JsonWriter& piece(std::string_view text) { return append_json_escaped(out_, text), *this; }
  JsonWriter& end_string() { return out_.push_back('"'), comma_ = true, *this; }

  template <class Value>
  JsonWriter& member(std::string_view name, Value&& content) {
    return key(name).value(std::forward<Value>(content));
  }
  JsonWriter& raw_member(std::string_view name, std::string_view json) { return key(name).raw(json); }
  // Inside an object: all members of `json` (the text of one JSON object, trusted), as they are.
  JsonWriter& raw_members(std::string_view json);

 private:
  void separate() {
    if (comma_) out_.push_back(',');
  }
  JsonWriter& open(char bracket) {
    separate();
    out_.push_back(bracket);
    comma_ = false;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_.push_back(bracket);
    comma_ = true;
    return *this;
  }
  void quote(std::string_view text) { begin_string().piece(text).end_string(); }
  template <class Number>
  JsonWriter& digits(Number number) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    return raw({text.data(), static_cast<size_t>(end - text.data())});
  }

  std::string& out_;
  bool comma_ = false;  // does the next value or key need a comma in front?
};

inline JsonWriter& JsonWriter::value(const Json& json) {
  switch (json.GetType()) {
    case rapidjson::kNullType:
      return value(nullptr);
    case rapidjson::kFalseType:
      return value(false);
    case rapidjson::kTrueType:
      return value(true);
    case rapidjson::kStringType:
      return value(text_of(json));
    case rapidjson::kNumberType:
      if (json.IsInt64()) return value(json.GetInt64());
      if (json.IsUint64()) return value(json.GetUint64());
      return value(json.GetDouble());
    case rapidjson::kArrayType:
      begin_array();
      for (const Json& item : json.GetArray()) value(item);
      return end_array();
    case rapidjson::kObjectType:
      begin_object();
      for (const auto& field : json.GetObject()) key(text_of(field.name)).value(field.value);
      return end_object();
  }
  return *this;
}

inline JsonWriter& JsonWriter::raw_members(std::string_view json) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t open = json.find('{'), shut = json.rfind('}');
  if (open == json.npos || shut == json.npos || shut <= open) return *this;
  const std::string_view inside = json.substr(open + 1, shut - open - 1);
  return inside.find_first_not_of(kBlank) == inside.npos ? *this : raw(inside);
}

}  // namespace tkm

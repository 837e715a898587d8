// The JSON writer. Included by <tokometer/json.hpp>.
#pragma once

#include <tokometer/json/escape.hpp>
#include <tokometer/json/rapidjson.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace tkm {

using Json = rapidjson::Value;

// The text of a string value, as a view into the document; empty for anything else.
inline std::string_view text_of(const Json& value) {
  if (!value.IsString()) return {};
  return {value.GetString(), value.GetStringLength()};
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

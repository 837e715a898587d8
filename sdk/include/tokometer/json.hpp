// JSON for plugins and for the core: the one way to RapidJSON. A parser that no input can take down
// (depth limited, whole text or nothing), getters that answer with a fallback instead of failing,
// and a writer that escapes while it appends to a string, for request bodies in the hot path:
//
//   tkm::JsonWriter json(body);
//   json.begin_object().member("model", name).key("messages").begin_array() ... .end_array().end_object();
//
// Nothing here keeps a reference past the call, but for JsonWriter, which refers to its string while it
// lives.
#pragma once

#include <tokometer/json/escape.hpp>
#include <tokometer/json/rapidjson.hpp>
#include <tokometer/json/writer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tkm {

using JsonDocument = rapidjson::Document;

inline constexpr int kMaxJsonDepth = 64;  // arrays and objects inside each other

namespace json_detail {

// Passes SAX events on and ends the parse where the nesting becomes too deep. `copy`: the handler must copy
// texts that it keeps.
template <class Handler>
class DepthLimited {
 public:
  using Ch = char;
  DepthLimited(Handler& next, bool copy) : next_(next), copy_(copy) {}

  bool Null() { return next_.Null(); }
  bool Bool(bool value) { return next_.Bool(value); }
  bool Int(int value) { return next_.Int(value); }
  bool Uint(unsigned value) { return next_.Uint(value); }
  bool Int64(int64_t value) { return next_.Int64(value); }
  bool Uint64(uint64_t value) { return next_.Uint64(value); }
  bool Double(double value) { return next_.Double(value); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return next_.RawNumber(text, size, copy_);
  }
  bool String(const char* text, rapidjson::SizeType size, bool) { return next_.String(text, size, copy_); }
  bool Key(const char* text, rapidjson::SizeType size, bool) { return next_.Key(text, size, copy_); }
  bool StartObject() { return ++depth_ <= kMaxJsonDepth && next_.StartObject(); }
  bool StartArray() { return ++depth_ <= kMaxJsonDepth && next_.StartArray(); }
  bool EndObject(rapidjson::SizeType count) { return --depth_, next_.EndObject(count); }
  bool EndArray(rapidjson::SizeType count) { return --depth_, next_.EndArray(count); }

 private:
  Handler& next_;
  const bool copy_;
  int depth_ = 0;
};

}  // namespace json_detail

// Who keeps the texts of a parse: the reader, until its next parse, or the handler in copies of its own.
enum class JsonTexts { of_reader, copied };

// An event (SAX) reader for hot paths: `handler` has RapidJSON's handler methods (derive from JsonEvents and
// override what is needed). It keeps its scratch memory from parse to parse, so parsing allocates nothing
// once warm. Not for two threads at once.
//
// The text is copied once and parsed in place, which is several times faster than from where it stands: only
// so can RapidJSON look at 16 bytes at a time, and no string is moved twice.
class JsonReader {
 public:
  // False: not one complete JSON text, deeper than kMaxJsonDepth, or the handler said stop (returned false).
  template <class Handler>
  bool parse(std::string_view text, Handler& handler, JsonTexts texts = JsonTexts::of_reader) {
    json_detail::DepthLimited<Handler> limited(handler, texts == JsonTexts::copied);
    text_.assign(text).append(kPadding, '\0');
    rapidjson::InsituStringStream stream(text_.data());
    constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseFullPrecisionFlag;
    const auto result = reader_.Parse<kFlags>(stream, limited);
    fault_offset_ = result.Offset();
    // RapidJSON takes a NUL for the end of the text; what follows one is not JSON.
    return !result.IsError() && stream.Tell() == text.size();
  }

  // Where the last failed parse gave up, in bytes from the start.
  size_t fault_offset() const { return fault_offset_; }

 private:
  static constexpr size_t kPadding = 16;  // it looks so far past the end

  rapidjson::Reader reader_;
  std::string text_;
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
  const auto generate = [&](JsonDocument& handler) {
    return good = reader.parse(text, handler, JsonTexts::copied);
  };
  JsonDocument fresh;  // one that is parsed into again would keep the memory of every text before
  fresh.Populate(generate);
  if (!good && fault_offset != nullptr) *fault_offset = reader.fault_offset();
  document = good ? std::move(fresh) : JsonDocument();
  return good;
}

// The member `key` (the first, if there are several), or null if there is none or `object` is no object.
inline const Json* find(const Json& object, std::string_view key) {
  if (!object.IsObject()) return nullptr;
  for (auto member = object.MemberBegin(); member != object.MemberEnd(); ++member) {
    const std::string_view name = text_of(member->name);
    if (name.size() != key.size()) continue;
    if (key.empty() || (name.front() == key.front() && name == key)) return &member->value;
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

}  // namespace tkm

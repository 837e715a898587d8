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
#include <tokometer/json/escape.hpp>
#include <tokometer/json/writer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tkm {

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

}  // namespace tkm

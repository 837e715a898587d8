// Small readers that the sections of the run file share: values of checked JSON, with the struct's own
// default where one is missing. Used by the *section*.cpp files alone.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <tokometer/json.hpp>

#include "config/yaml.hpp"

namespace tokometer::section {

using tkm::Json;

inline const Json& child(const Json& object, std::string_view key) {
  static const Json kEmpty(rapidjson::kObjectType);
  const Json* found = tkm::find(object, key);
  return found != nullptr && found->IsObject() ? *found : kEmpty;
}

inline int64_t ns_of(double seconds) {
  return std::llround(seconds * 1e9);
}

inline std::optional<int64_t> find_ns(const Json& object, std::string_view key) {
  const Json* value = tkm::find(object, key);
  if (value == nullptr || !value->IsNumber()) return std::nullopt;
  return ns_of(value->GetDouble());
}

inline void read_ns(const Json& object, std::string_view key, int64_t& into) {
  if (const auto ns = find_ns(object, key)) into = *ns;
}

inline std::string json_text(const Json& object, std::string_view key) {
  std::string text;
  tkm::JsonWriter(text).value(child(object, key));
  return text;
}

// The enum value that stands at the same place as the word; `into` keeps its value for any other word.
template <class Enum, size_t N>
void read_word(const Json& object, std::string_view key, const std::array<std::string_view, N>& words,
               Enum& into) {
  const auto found = std::find(words.begin(), words.end(), tkm::get_string(object, key));
  if (found != words.end()) into = static_cast<Enum>(found - words.begin());
}

// The node at a path of keys, or nullptr where nobody wrote it.
inline const Node* node_at(const Node& root, std::initializer_list<std::string_view> keys) {
  const Node* node = &root;
  for (const std::string_view key : keys) {
    if (node != nullptr) node = node->find(key);
  }
  return node;
}

inline uint64_t count_of(std::string_view digits) {
  uint64_t count = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return read.ec == std::errc() && read.ptr == digits.data() + digits.size() ? count : 0;
}

}  // namespace tokometer::section

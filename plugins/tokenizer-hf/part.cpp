#include "part.hpp"

#include <tokometer/plugin.hpp>

#include <algorithm>
#include <utility>

namespace tokenizer_hf {
namespace {

using tkm::Json;

constexpr size_t kShownBytes = 80;

}  // namespace

std::optional<int32_t> id_of(const Json& json) {
  const auto number = tkm::int_of(json);
  if (!number || !std::in_range<int32_t>(*number) || *number < 0) return std::nullopt;
  return static_cast<int32_t>(*number);
}

std::string in_quotes(std::string_view text) {
  const bool is_long = text.size() > kShownBytes;
  return "\"" + std::string(text.substr(0, kShownBytes)) + (is_long ? "...\"" : "\"");
}

bool Part::has(std::string_view key) const {
  const Json* value = tkm::find(*json_, key);
  return value != nullptr && !value->IsNull();
}

Part Part::member(std::string_view key) const {
  const Json* value = tkm::find(*json_, key);
  if (value == nullptr || value->IsNull()) malformed(in_quotes(key) + " is missing");
  return {*value, path_.empty() ? std::string(key) : path_ + "." + std::string(key)};
}

std::vector<Part> Part::items(std::string_view key) const {
  const Part list = member(key);
  if (!list.json().IsArray()) list.malformed("must be a list");
  std::vector<Part> parts;
  for (const Json& item : list.json().GetArray()) {
    parts.emplace_back(item, list.path_ + "[" + std::to_string(parts.size()) + "]");
  }
  return parts;
}

std::string_view Part::text(std::string_view key) const {
  const Part value = member(key);
  if (!value.json().IsString()) value.malformed("must be a text");
  return tkm::text_of(value.json());
}

bool Part::flag(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const Part value = member(key);
  if (!value.json().IsBool()) value.malformed("must be true or false");
  return value.json().GetBool();
}

int32_t Part::id(std::string_view key) const {
  const Part value = member(key);
  const auto number = id_of(value.json());
  if (!number) value.malformed("must be a token id, a whole number from 0");
  return *number;
}

void Part::allow_only(std::initializer_list<std::string_view> keys) const {
  if (!json_->IsObject()) malformed("must be an object");
  for (const auto& entry : json_->GetObject()) {
    const std::string_view key = tkm::text_of(entry.name);
    const bool known = key == "type" || std::find(keys.begin(), keys.end(), key) != keys.end();
    if (!known && !entry.value.IsNull()) unknown("the member " + in_quotes(key) + " is not known");
  }
}

void Part::malformed(const std::string& what) const {
  throw tkm::config_error(path_.empty() ? what : path_ + ": " + what);
}

void Part::unknown(const std::string& what) const {
  throw tkm::unsupported(path_.empty() ? what : path_ + ": " + what);
}

void Part::unknown_type(std::string_view known) const {
  unknown("the type " + in_quotes(type()) + " is not supported (known: " + std::string(known) + ")");
}

}  // namespace tokenizer_hf

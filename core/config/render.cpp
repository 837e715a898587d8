// JSON as YAML that parse_yaml reads back to the same value: block style for maps and lists, one line for
// what is short.
#include <algorithm>
#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "config/run_file.hpp"
#include "config/yaml.hpp"

namespace tokometer {
namespace {

using tkm::Json;

constexpr size_t kShortLine = 100;

// Text that needs no quotes: it cannot be taken for another type or for punctuation of YAML, in { } or out.
bool is_plain(std::string_view text) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-+%";
  if (text.empty() || text.find_first_not_of(kAllowed) != std::string_view::npos) return false;
  if (text.starts_with('-') || text.starts_with('%')) return false;
  Node node;
  node.text = text;
  node.plain = true;
  return node.type() == Node::Type::text && text != "~";
}

// Double quotes with JSON's escapes are YAML, too; control characters above C0 are escaped by hand.
std::string scalar(const Json& value) {
  std::string text;
  if (value.IsString() && is_plain(tkm::text_of(value))) return std::string(tkm::text_of(value));
  tkm::JsonWriter(text).value(value);
  for (size_t at = text.find('\x7f'); at != std::string::npos; at = text.find('\x7f')) {
    text.replace(at, 1, "\\x7f");
  }
  return text;
}

std::string key_text(const Json& name) {
  return scalar(name);
}

// The value on one line: {a: 1, b: [x, y]}.
std::string flow(const Json& value) {
  if (!value.IsObject() && !value.IsArray()) return scalar(value);
  std::string text;
  if (value.IsArray()) {
    for (const Json& item : value.GetArray()) text += (text.empty() ? "" : ", ") + flow(item);
    return "[" + text + "]";
  }
  for (const auto& member : value.GetObject()) {
    text += (text.empty() ? "" : ", ") + key_text(member.name) + ": " + flow(member.value);
  }
  return "{" + text + "}";
}

bool is_short(const Json& value, size_t indent) {
  const bool is_collection = value.IsObject() || value.IsArray();
  return !is_collection || flow(value).size() + indent <= kShortLine;
}

void write_block(const Json& value, size_t indent, std::string& out);

// The value of a key: behind it, or in a block below.
void write_value(const Json& value, size_t indent, std::string& out) {
  if (is_short(value, indent)) {
    out += " " + flow(value) + "\n";
  } else {
    out += "\n";
    write_block(value, indent + 2, out);
  }
}

void write_block(const Json& value, size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.IsArray()) {
    for (const Json& item : value.GetArray()) {
      std::string entry = margin + "  " + flow(item) + "\n";
      if (!is_short(item, indent + 2)) write_block(item, indent + 2, entry = "");
      out += entry.replace(indent, 1, "-");
    }
    return;
  }
  for (const auto& member : value.GetObject()) {
    out += margin + key_text(member.name) + ":";
    write_value(member.value, indent, out);
  }
}

}  // namespace

std::string with_points(const std::string& resolved_json, const std::vector<RunFile::Sweep::Value>& points) {
  tkm::JsonDocument json;
  if (!tkm::parse_json(resolved_json, json) || !json.IsObject() || !json.HasMember("sweep"))
    return resolved_json;
  auto& memory = json.GetAllocator();
  Json& sweep = json["sweep"];
  for (const char* key : {"method", "points", "between", "within"}) sweep.RemoveMember(key);
  Json values(rapidjson::kArrayType);
  for (const RunFile::Sweep::Value& point : points) {
    if (point.pattern.empty()) {
      values.PushBack(Json(point.number), memory);
    } else {
      values.PushBack(Json(point.pattern.c_str(), memory), memory);
    }
  }
  sweep.RemoveMember("values");
  sweep.AddMember("method", Json("list"), memory).AddMember("values", values, memory);
  std::string text;
  tkm::JsonWriter(text).value(json);
  return text;
}

std::string render(const RunFile& run_file) {
  tkm::JsonDocument json;
  std::string text;
  if (tkm::parse_json(run_file.resolved_json, json) && json.IsObject()) write_block(json, 0, text);
  return text;
}

}  // namespace tokometer

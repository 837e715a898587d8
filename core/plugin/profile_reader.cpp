#include "plugin/profile_reader.hpp"

#include <utility>

#include "base/text.hpp"

namespace tokometer {
namespace {

using tkm::Json;

std::string shown(const Json& value) {
  std::string text;
  tkm::JsonWriter(text).value(value);
  return escape_terminal(text, 64);
}

}  // namespace

void ProfileFindings::fault(const std::string& path, const std::string& sentence) {
  faults.push_back({"profile: " + path + ": " + sentence});
}

void ProfileFindings::fault(const std::string& path, const std::string& rule, const Json& got) {
  fault(path, rule + " (got " + shown(got) + ")");
}

ProfileReader::ProfileReader(ProfileFindings& findings, const Json& object, std::string path)
    : findings_(findings), object_(object), path_(std::move(path)) {
  if (!object_.IsObject()) findings_.fault(path_, "must be an object", object_);
}

ProfileReader::~ProfileReader() {
  if (!object_.IsObject()) return;
  for (const auto& member : object_.GetObject()) {
    const std::string_view key = tkm::text_of(member.name);
    if (asked_.find(key) == asked_.end()) {
      findings_.warnings.push_back("profile: " + path_of(escape_terminal(key, 64)) +
                                   ": unknown key, skipped");
    }
  }
}

std::string ProfileReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void ProfileReader::fault(std::string_view key, const std::string& sentence) {
  if (object_.IsObject()) findings_.fault(path_of(key), sentence);
}

void ProfileReader::fault(std::string_view key, const std::string& rule, const Json& got) {
  if (object_.IsObject()) findings_.fault(path_of(key), rule, got);
}

const Json* ProfileReader::get(std::string_view key) {
  asked_.emplace(key);
  return tkm::find(object_, key);
}

const Json* ProfileReader::get_if(std::string_view key, bool (*is_right)(const Json&), const char* rule) {
  const Json* value = get(key);
  if (value == nullptr || is_right(*value)) return value;
  findings_.fault(path_of(key), rule, *value);
  return nullptr;
}

std::optional<std::string> ProfileReader::text(std::string_view key) {
  const Json* value = get_if(
      key, [](const Json& v) { return v.IsString(); }, "must be a string");
  if (value == nullptr) return std::nullopt;
  return std::string(tkm::text_of(*value));
}

std::optional<bool> ProfileReader::flag(std::string_view key) {
  const Json* value = get_if(
      key, [](const Json& v) { return v.IsBool(); }, "must be true or false");
  if (value == nullptr) return std::nullopt;
  return value->GetBool();
}

std::optional<double> ProfileReader::number(std::string_view key) {
  const Json* value = get_if(
      key, [](const Json& v) { return v.IsNumber(); }, "must be a number");
  if (value == nullptr) return std::nullopt;
  return value->GetDouble();
}

std::optional<int> ProfileReader::whole(std::string_view key, int least, int most) {
  const Json* value = get(key);
  if (value == nullptr) return std::nullopt;
  const auto number = tkm::int_of(*value);
  if (number && *number >= least && *number <= most) return static_cast<int>(*number);
  findings_.fault(path_of(key),
                  "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most),
                  *value);
  return std::nullopt;
}

std::vector<std::string> ProfileReader::texts(std::string_view key) {
  std::vector<std::string> found;
  each(key, [&](const Json& item, const std::string&, const std::string& path) {
    if (item.IsString()) return found.emplace_back(tkm::text_of(item)), void();
    findings_.fault(path, "must be a string", item);
  });
  return found;
}

std::vector<std::pair<std::string, std::string>> ProfileReader::text_members(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> found;
  each_member(key, [&](const Json& value, const std::string& name, const std::string& path) {
    if (value.IsString()) return found.emplace_back(name, tkm::text_of(value)), void();
    findings_.fault(path, "must be a string", value);
  });
  return found;
}

void ProfileReader::each(std::string_view key, const Visit& visit) {
  const Json* list = get_if(
      key, [](const Json& v) { return v.IsArray(); }, "must be a list");
  if (list == nullptr) return;
  for (rapidjson::SizeType i = 0; i < list->Size(); ++i) {
    const std::string index = std::to_string(i);
    visit((*list)[i], index, path_of(key) + "[" + index + "]");
  }
}

void ProfileReader::each_member(std::string_view key, const Visit& visit) {
  const Json* object = get_if(
      key, [](const Json& v) { return v.IsObject(); }, "must be an object");
  if (object == nullptr) return;
  for (const auto& member : object->GetObject()) {
    const std::string name(tkm::text_of(member.name));
    visit(member.value, name, path_of(key) + "." + escape_terminal(name, 64));
  }
}

}  // namespace tokometer

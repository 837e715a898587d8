// What a plugin's option schema may use: the subset that every reader of such a schema (the check, the table
// of `plugin describe`, the YAML skeleton) understands.
#include <algorithm>
#include <array>
#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "config/schema.hpp"

namespace tokometer {
namespace {

using tkm::Json;

constexpr std::array<std::string_view, 16> kKeywords{
    "type",  "properties", "required", "enum",   "minimum",     "maximum",  "exclusiveMinimum", "minLength",
    "items", "minItems",   "default",  "format", "description", "examples", "deprecated",       "writeOnly"};
constexpr std::array<std::string_view, 3> kRootKeywords{"$schema", "$id", "title"};
constexpr std::array<std::string_view, 6> kTypes{"string", "number", "integer", "boolean", "array", "object"};
constexpr std::array<std::string_view, 5> kFormats{"duration", "bytes", "url", "path", "secret"};

template <size_t N>
bool contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The sentence of the first fault, or empty.
class SubsetCheck {
 public:
  std::string schema(const Json& node, const std::string& where) {
    if (!node.IsObject()) return at(where, "must be an object");
    for (const auto& member : node.GetObject()) {
      const std::string key(tkm::text_of(member.name));
      if (!contains(kKeywords, key) && !(where.empty() && contains(kRootKeywords, key))) {
        return at(where, "\"" + escape_terminal(key, 60) + "\" is not a keyword that option schemas may use");
      }
      if (std::string sentence = keyword(key, member.value); !sentence.empty()) return at(where, sentence);
    }
    if (const Json* items = tkm::find(node, "items")) {
      if (std::string fault = schema(*items, where + "/items"); !fault.empty()) return fault;
    }
    return members(node, where);
  }

 private:
  static std::string at(const std::string& where, const std::string& sentence) {
    return (where.empty() ? "/" : where) + ": " + sentence;
  }

  std::string members(const Json& node, const std::string& where) {
    const Json* properties = tkm::find(node, "properties");
    if (properties != nullptr) {
      for (const auto& property : properties->GetObject()) {
        const std::string place = where + "/properties/" + std::string(tkm::text_of(property.name));
        if (std::string fault = schema(property.value, place); !fault.empty()) return fault;
      }
    }
    const Json* required = tkm::find(node, "required");
    if (required == nullptr) return {};
    for (const Json& name : required->GetArray()) {
      if (properties == nullptr || tkm::find(*properties, tkm::text_of(name)) == nullptr) {
        return at(where, "\"required\" names \"" + escape_terminal(tkm::text_of(name), 60) +
                             "\", which is not in \"properties\"");
      }
    }
    return {};
  }

  static std::string keyword(const std::string& key, const Json& value) {
    if (key == "type" && !is_type(value)) {
      return "\"type\" must be one of string, number, integer, boolean, array, object, or a list of them";
    }
    if (key == "format" && !(value.IsString() && contains(kFormats, tkm::text_of(value)))) {
      return "\"format\" must be one of duration, bytes, url, path, secret";
    }
    if (key == "properties" && !value.IsObject()) return "\"properties\" must be an object";
    if (key == "required" && !is_list_of_texts(value)) return "\"required\" must be a list of texts";
    if ((key == "enum" || key == "examples") && (!value.IsArray() || value.Empty())) {
      return "\"" + key + "\" must be a list that is not empty";
    }
    if ((key == "minimum" || key == "maximum" || key == "exclusiveMinimum") && !value.IsNumber()) {
      return "\"" + key + "\" must be a number";
    }
    if ((key == "minLength" || key == "minItems") && !value.IsUint()) {
      return "\"" + key + "\" must be a whole number";
    }
    if ((key == "deprecated" || key == "writeOnly") && !value.IsBool()) {
      return "\"" + key + "\" must be true or false";
    }
    return (key == "description" && !value.IsString()) ? "\"description\" must be text" : "";
  }

  static bool is_type(const Json& value) {
    if (!value.IsArray()) return value.IsString() && contains(kTypes, tkm::text_of(value));
    const auto all = value.GetArray();
    return !value.Empty() && std::all_of(all.begin(), all.end(), [](const Json& item) {
      return item.IsString() && contains(kTypes, tkm::text_of(item));
    });
  }

  static bool is_list_of_texts(const Json& value) {
    if (!value.IsArray()) return false;
    const auto all = value.GetArray();
    return std::all_of(all.begin(), all.end(), [](const Json& item) { return item.IsString(); });
  }
};

// Defaults must pass the schema's own rules: an empty value shows them all. A missing name is no fault here.
std::string default_fault(std::string_view schema_json) {
  auto schema = Schema::parse(schema_json);
  if (!schema) return schema.error().message;
  Node empty;
  empty.kind = Node::Kind::map;
  for (const Error& fault : schema->check(empty).faults) {
    if (!fault.message.ends_with("is missing")) return "/: " + fault.message;
  }
  return {};
}

}  // namespace

Result<void> check_schema(std::string_view schema_json) {
  tkm::JsonDocument json;
  size_t offset = 0;
  if (!tkm::parse_json(schema_json, json, &offset)) {
    return Error{"option schema: not valid JSON (byte " + std::to_string(offset) + ")"};
  }
  std::string sentence = SubsetCheck().schema(json, "");
  if (sentence.empty() && tkm::get_string(json, "type") != "object")
    sentence = "/: \"type\" must be \"object\"";
  if (sentence.empty()) sentence = default_fault(schema_json);
  if (!sentence.empty()) return Error{"option schema: " + sentence};
  return {};
}

}  // namespace tokometer

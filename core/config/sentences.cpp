#include "config/sentences.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/secret.hpp"
#include "base/text.hpp"

namespace tokometer {
namespace {

using tkm::Json;

constexpr size_t kFewKeys = 12;

std::string quoted(std::string_view text) {
  return '"' + escape_terminal(text, 60) + '"';
}

std::string shown(const Json& value) {
  std::string text;
  tkm::JsonWriter(text).value(value);
  return text;
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

// " > 0", " from 0 to 1", " >= 1".
std::string bounds(const Json& schema) {
  const Json *least = tkm::find(schema, "minimum"), *most = tkm::find(schema, "maximum");
  const Json* above = tkm::find(schema, "exclusiveMinimum");
  if (above != nullptr) {
    return " > " + shown(*above) + (most != nullptr ? " and <= " + shown(*most) : "");
  }
  if (least != nullptr && most != nullptr) return " from " + shown(*least) + " to " + shown(*most);
  if (least != nullptr) return " >= " + shown(*least);
  return most != nullptr ? " <= " + shown(*most) : "";
}

// Bounds of what is written with a unit. Nobody writes a negative one.
std::string unit_bounds(const Json& schema, std::string_view unit) {
  const std::string text = bounds(schema);
  if (text == " >= 0") return "";
  return text.empty() || text == " > 0" ? text : text + std::string(unit);
}

std::string named_type(std::string_view type, const Json& schema) {
  if (type == "number") return "a number" + bounds(schema);
  if (type == "integer") return "a whole number" + bounds(schema);
  if (type == "boolean") return "true or false";
  if (type == "array") {
    const int64_t items = tkm::get_int(schema, "minItems", 0);
    return items > 0 ? "a list with at least " + std::to_string(items) + (items == 1 ? " entry" : " entries")
                     : "a list";
  }
  if (type == "object") return "a map of keys and values";
  if (const std::string_view pattern = tkm::get_string(schema, "pattern"); !pattern.empty()) {
    return "text of the form " + std::string(pattern.substr(1, pattern.size() - 2));  // without ^ and $
  }
  const int64_t length = tkm::get_int(schema, "minLength", 0);
  if (length > 1) return "text of at least " + std::to_string(length) + " bytes";
  return length == 1 ? "text that is not empty" : "text";
}

std::string formatted(std::string_view format, const Json& schema) {
  if (format == "duration") {
    return "a duration" + unit_bounds(schema, " s") + ", such as 30s or 200ms" +
           (may_be_off(schema) ? ", or off" : "");
  }
  if (format == "bytes") return "a size" + unit_bounds(schema, " B") + ", such as 64MiB";
  if (format == "ratio") return "a ratio from 0 to 1, such as 1% or 0.01";
  if (format == "auto") return "auto or a whole number" + bounds(schema);
  if (format == "secret") return "text, or {file: PATH}";
  return {};
}

// The type that a canonical value of this format has; empty: as the schema says.
std::string_view type_made_by(std::string_view format) {
  if (format == "duration" || format == "ratio") return "number";
  if (format == "bytes" || format == "auto") return "integer";
  return format == "secret" || format == "label" ? "string" : "";
}

bool has_type(std::string_view type, const Json& value) {
  if (type == "string") return value.IsString();
  if (type == "number") return value.IsNumber();
  if (type == "integer")
    return value.IsNumber() && (value.IsInt64() || value.IsUint64() || tkm::int_of(value));
  if (type == "boolean") return value.IsBool();
  if (type == "array") return value.IsArray();
  return type == "object" ? value.IsObject() : value.IsNull();
}

bool breaks_bounds(const Json& schema, double number) {
  const auto limit = [&](const char* key) { return tkm::get_number(schema, key, std::nan("")); };
  // A comparison with a limit that is not there is false.
  return number < limit("minimum") || number > limit("maximum") || number <= limit("exclusiveMinimum") ||
         !std::isfinite(number);
}

const Json* choices(const Json& schema) {
  const Json* list = tkm::find(schema, "enum");
  return list != nullptr && list->IsArray() ? list : nullptr;
}

}  // namespace

std::vector<std::string> types_of(const Json& schema) {
  std::vector<std::string> types;
  const Json* type = tkm::find(schema, "type");
  if (type != nullptr && type->IsString()) types.emplace_back(tkm::text_of(*type));
  if (type != nullptr && type->IsArray()) {
    for (const Json& item : type->GetArray()) types.emplace_back(tkm::text_of(item));
  }
  const std::string_view made = type_made_by(tkm::get_string(schema, "format"));
  if (made.empty()) return types;
  // The format turns every scalar into one type; a list or a map may stand beside it.
  std::erase_if(types, [](const std::string& t) { return t != "array" && t != "object"; });
  if (tkm::get_string(schema, "format") == "secret") types.clear();  // {file: PATH} becomes its text
  types.emplace_back(made);
  return types;
}

bool may_be_off(const Json& schema) {
  const Json* type = tkm::find(schema, "type");
  if (type == nullptr || !type->IsArray()) return false;
  const auto all = type->GetArray();
  return std::any_of(all.begin(), all.end(),
                     [](const Json& item) { return tkm::text_of(item) == "boolean"; });
}

std::string expectation(const Json& schema) {
  if (const Json* list = choices(schema)) {
    std::vector<std::string> words;
    for (const Json& choice : list->GetArray()) words.push_back(shown(choice));
    return words.size() == 1 ? words.front() : "one of " + joined(words, ", ");
  }
  std::vector<std::string> words;
  const std::string text = formatted(tkm::get_string(schema, "format"), schema);
  if (!text.empty()) words.push_back(text);
  for (const std::string& type : types_of(schema)) {
    if (text.empty() || type == "array" || type == "object") words.push_back(named_type(type, schema));
  }
  return joined(words, text.empty() ? " or " : ", or ");
}

bool breaks(const Json& schema, const Json& value) {
  const std::vector<std::string> types = types_of(schema);
  const bool fits = types.empty() || std::any_of(types.begin(), types.end(),
                                                 [&](const auto& type) { return has_type(type, value); });
  if (!fits) return true;
  if (const Json* list = choices(schema)) {
    const auto all = list->GetArray();
    if (std::none_of(all.begin(), all.end(), [&](const Json& choice) { return choice == value; }))
      return true;
  }
  if (value.IsNumber()) return breaks_bounds(schema, value.GetDouble());
  if (value.IsArray()) return value.Size() < static_cast<uint64_t>(tkm::get_int(schema, "minItems", 0));
  // Whether a text has the form of a pattern, valijson alone knows: it is at fault if nothing else is.
  return value.IsString() &&
         (value.GetStringLength() < static_cast<uint64_t>(tkm::get_int(schema, "minLength", 0)) ||
          tkm::find(schema, "pattern") != nullptr);
}

std::string must_be(const Json& schema, const Node& found) {
  std::string sentence = "must be " + expectation(schema) + " " + got(found);
  const std::string_view format = tkm::get_string(schema, "format");
  const bool number = found.kind == Node::Kind::scalar &&
                      (found.type() == Node::Type::integer || found.type() == Node::Type::number);
  if (number && (format == "duration" || format == "bytes")) sentence += ": the unit is missing";
  const Json* list = choices(schema);
  if (list == nullptr || found.kind != Node::Kind::scalar) return sentence;
  std::vector<std::string> words;
  for (const Json& choice : list->GetArray()) words.emplace_back(tkm::text_of(choice));
  if (const auto near = nearest_name(found.text, words)) sentence += "; did you mean " + quoted(*near) + "?";
  return sentence;
}

std::string got(const Node& found) {
  if (found.kind == Node::Kind::map) return "(got a map)";
  if (found.kind == Node::Kind::sequence) {
    return found.items.empty() ? "(got an empty list)" : "(got a list)";
  }
  const size_t variable = found.raw.find("${");
  if (variable != std::string::npos) {
    const std::string_view name = std::string_view(found.raw).substr(variable + 2);
    if (is_secret_name(name.substr(0, name.find_first_of(":}")))) return "(got a secret)";
  }
  if (found.type() == Node::Type::null) return "(got nothing)";
  if (found.type() == Node::Type::text) return "(got " + quoted(found.text) + ")";
  return "(got " + escape_terminal(found.text, 60) + ")";
}

std::string unknown_key(std::string_view key, const std::vector<std::string>& known) {
  if (const auto near = nearest_name(key, known)) return "unknown key; did you mean " + quoted(*near) + "?";
  if (known.empty()) return "unknown key; there are none here";
  return known.size() <= kFewKeys ? "unknown key; known are " + joined(known, ", ") : "unknown key";
}

}  // namespace tokometer

#include "sim/option_check.hpp"

#include "base/text.hpp"

namespace tokometer::sim {
namespace {

using tkm::Json;
using Errors = std::vector<Error>;

// A value against the schema of its key; durations become seconds. Appends to errors what is wrong.
class Checker {
 public:
  explicit Checker(Errors& errors) : errors_(errors) {}

  void check(const std::string& where, const Json& schema, Json& value) {
    const std::string_view type = tkm::get_string(schema, "type");
    if (tkm::get_string(schema, "format") == "duration") return duration(where, value);
    if (!has_type(type, value)) return fail(where, "must be " + a_type(type), value);
    if (type == "object") return object(where, schema, value);
    if (type == "array") return array(where, schema, value);
    if (value.IsNumber()) return range(where, schema, value);
    if (value.IsString()) return word(where, schema, value);
  }

  void object(const std::string& where, const Json& schema, Json& value) {
    const Json& properties = *tkm::find(schema, "properties");
    const std::vector<std::string> known = keys_of(properties);
    for (const std::string& key : keys_of(value)) {
      const auto length = static_cast<rapidjson::SizeType>(key.size());
      Json& member = value.FindMember(Json(rapidjson::StringRef(key.data(), length)))->value;
      const Json* property = tkm::find(properties, key);
      if (property == nullptr) {
        errors_.push_back({where + "unknown option \"" + escape_terminal(key) + "\"" + meant(key, known)});
      } else {
        check(where + key + ": ", *property, member);
      }
    }
    if (const Json* required = tkm::find(schema, "required")) {
      for (const Json& key : required->GetArray()) {
        if (tkm::find(value, tkm::text_of(key)) == nullptr) {
          errors_.push_back({where + "\"" + std::string(tkm::text_of(key)) + "\" is missing"});
        }
      }
    }
  }

 private:
  static bool has_type(std::string_view type, const Json& value) {
    if (type == "string") return value.IsString();
    if (type == "boolean") return value.IsBool();
    if (type == "integer") return tkm::int_of(value).has_value();
    if (type == "number") return value.IsNumber();
    return type == "array" ? value.IsArray() : value.IsObject();
  }

  static std::string a_type(std::string_view type) {
    if (type == "integer") return "a whole number";
    if (type == "boolean") return "true or false";
    return (type == "array" || type == "object" ? "an " : "a ") + std::string(type);
  }

  void fail(const std::string& where, const std::string& what, const Json& value) {
    errors_.push_back({where + what + " (got " + shown(value) + ")"});
  }

  void duration(const std::string& where, Json& value) {
    if (value.IsNumber() && value.GetDouble() >= 0) return;  // seconds, as a run file's options come
    const auto ns = value.IsString() ? parse_duration_ns(tkm::text_of(value)) : std::nullopt;
    if (!ns) return fail(where, "must be a duration with a unit, as 50ms or 2s", value);
    value.SetDouble(static_cast<double>(*ns) / 1e9);
  }

  void range(const std::string& where, const Json& schema, const Json& value) {
    const double number = value.GetDouble();
    if (const Json* least = tkm::find(schema, "minimum"); least != nullptr && number < least->GetDouble()) {
      fail(where, "must be at least " + shown(*least), value);
    }
    if (const Json* most = tkm::find(schema, "maximum"); most != nullptr && number > most->GetDouble()) {
      fail(where, "must be at most " + shown(*most), value);
    }
  }

  void word(const std::string& where, const Json& schema, const Json& value) {
    const auto length = static_cast<int64_t>(value.GetStringLength());
    if (length < tkm::get_int(schema, "minLength")) return fail(where, "must not be empty", value);
    const Json* choices = tkm::find(schema, "enum");
    if (choices == nullptr) return;
    std::vector<std::string> names;
    std::string list;
    for (const Json& choice : choices->GetArray()) {
      if (choice == value) return;
      names.emplace_back(tkm::text_of(choice));
      list += (list.empty() ? "" : ", ") + names.back();
    }
    fail(where, "must be one of " + list, value);
    errors_.back().message += meant(tkm::text_of(value), names);
  }

  void array(const std::string& where, const Json& schema, Json& value) {
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i) {
      check(where + std::to_string(i) + ": ", *tkm::find(schema, "items"), value[i]);
    }
  }

  Errors& errors_;
};

}  // namespace

void check_options(const Json& schema, Json& options, Errors& errors) {
  Checker(errors).object("", schema, options);
}

std::string shown(const Json& value) {
  std::string text;
  tkm::JsonWriter(text).value(value);
  return escape_terminal(text);
}

std::string meant(std::string_view word, const std::vector<std::string>& names) {
  const auto near = nearest_name(word, names);
  return near ? ", did you mean " + *near + "?" : "";
}

std::vector<std::string> keys_of(const Json& properties) {
  std::vector<std::string> keys;
  for (const auto& property : properties.GetObject()) keys.emplace_back(tkm::text_of(property.name));
  return keys;
}

}  // namespace tokometer::sim

#include "sim/flags.hpp"

#include <algorithm>
#include <charconv>
#include <tokometer/json.hpp>

#include "base/text.hpp"

namespace tokometer::sim {
namespace {

using tkm::Json;
using tkm::JsonDocument;
using Errors = std::vector<Error>;

std::string flag_of(std::string_view key) {
  std::string flag = "--" + std::string(key);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
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
    for (auto& member : value.GetObject()) {
      const std::string key(tkm::text_of(member.name));
      const Json* property = tkm::find(properties, key);
      if (property == nullptr) {
        errors_.push_back({where + "unknown option \"" + escape_terminal(key) + "\"" + meant(key, known)});
      } else {
        check(where + key + ": ", *property, member.value);
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

class Parser {
 public:
  explicit Parser(std::string_view schema) {
    tkm::parse_json(schema, schema_);
    options_.SetObject();
    flags_ = {"--host", "--port", "--options", "--exit-with-stdin", "--help", "--version"};
    for (const std::string& key : keys_of(properties())) flags_.push_back(flag_of(key));
  }

  Result<CommandLine> parse(const std::vector<std::string>& arguments) {
    for (size_t at = 0; at < arguments.size(); ++at) argument(arguments, at);
    Checker(errors_).object("", schema_, options_);
    if (!errors_.empty()) return errors_;
    fill_defaults();
    tkm::JsonWriter(line_.options_json).value(options_);
    return line_;
  }

 private:
  const Json& properties() const { return *tkm::find(schema_, "properties"); }
  JsonDocument::AllocatorType& memory() { return options_.GetAllocator(); }

  void argument(const std::vector<std::string>& arguments, size_t& at) {
    std::string flag = arguments[at], value;
    const size_t equals = flag.find('=');
    const bool inside = flag.starts_with("--") && equals != flag.npos;
    if (inside) value = flag.substr(equals + 1), flag.resize(equals);
    if (is_switch(flag) && !inside) return set(flag, "true");
    if (std::find(flags_.begin(), flags_.end(), flag) == flags_.end()) {
      errors_.push_back({"unknown argument \"" + escape_terminal(flag) + "\"" + meant(flag, flags_)});
      return;
    }
    if (!inside) {
      if (at + 1 == arguments.size()) return errors_.push_back({flag + " needs a value"});
      value = arguments[++at];
    }
    set(flag, value);
  }

  const Json* property(std::string_view flag, std::string* key = nullptr) const {
    for (const auto& item : properties().GetObject()) {
      if (flag_of(tkm::text_of(item.name)) != flag) continue;
      if (key != nullptr) *key = tkm::text_of(item.name);
      return &item.value;
    }
    return nullptr;
  }

  bool is_switch(std::string_view flag) const {
    if (flag == "--help" || flag == "--version" || flag == "--exit-with-stdin") return true;
    const Json* schema = property(flag);
    return schema != nullptr && tkm::get_string(*schema, "type") == "boolean";
  }

  void set(std::string_view flag, const std::string& text) {
    if (flag == "--help") return void(line_.help = true);
    if (flag == "--version") return void(line_.version = true);
    if (flag == "--exit-with-stdin") return void(line_.exit_with_stdin = true);
    if (flag == "--host") return void(line_.host = text);
    if (flag == "--port") return set_port(text);
    if (flag == "--options") return merge(text);
    std::string key;
    const Json* schema = property(flag, &key);
    put(key, value_of(*schema, text));
  }

  void set_port(const std::string& text) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), line_.port);
    if (error == std::errc{} && end == text.data() + text.size()) return;
    errors_.push_back({"--port: must be from 0 to 65535 (got \"" + escape_terminal(text) + "\")"});
  }

  void merge(const std::string& text) {
    JsonDocument given;
    if (!tkm::parse_json(text, given) || !given.IsObject()) {
      return errors_.push_back({"--options: must be a JSON object (got " + escape_terminal(text, 80) + ")"});
    }
    for (auto& member : given.GetObject()) {
      put(std::string(tkm::text_of(member.name)), Json(member.value, memory()));
    }
  }

  // Text of a flag as the JSON that its type asks for; text that is no such JSON stays text, and the check
  // says so.
  Json value_of(const Json& schema, const std::string& text) {
    const std::string_view type = tkm::get_string(schema, "type");
    Json plain(text.data(), static_cast<rapidjson::SizeType>(text.size()), memory());
    if (type == "array") return list_of(text);
    if (type == "string") return plain;
    JsonDocument json;
    if (!tkm::parse_json(text, json)) return plain;
    return Json(json, memory());
  }

  Json list_of(std::string_view text) {
    Json list(rapidjson::kArrayType);
    while (!text.empty()) {
      const std::string_view item = text.substr(0, text.find(','));
      list.PushBack(Json(item.data(), static_cast<rapidjson::SizeType>(item.size()), memory()), memory());
      text.remove_prefix(std::min(text.size(), item.size() + 1));
    }
    return list;
  }

  void put(const std::string& key, Json value) {
    options_.RemoveMember(key.c_str());
    options_.AddMember(Json(key.c_str(), memory()), value, memory());
  }

  void fill_defaults() {
    for (const auto& item : properties().GetObject()) {
      const Json* standard = tkm::find(item.value, "default");
      if (standard == nullptr || tkm::find(options_, tkm::text_of(item.name)) != nullptr) continue;
      Json value(*standard, memory());
      Checker(errors_).check("", item.value, value);
      put(std::string(tkm::text_of(item.name)), std::move(value));
    }
  }

  JsonDocument schema_, options_;
  std::vector<std::string> flags_;
  CommandLine line_;
  Errors errors_;
};

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments, std::string_view schema) {
  return Parser(schema).parse(arguments);
}

std::string help_text(std::string_view schema) {
  JsonDocument json;
  tkm::parse_json(schema, json);
  std::string text =
      "usage: tokometer-sim [FLAGS]\n\n"
      "A simulated LLM server with known times. Prints \"READY URL\" when it listens.\n\n"
      "  --host ADDRESS         default 127.0.0.1\n"
      "  --port PORT            default 0: any free one\n"
      "  --options JSON         all options below as one object (a run file's target.sim)\n"
      "  --exit-with-stdin      end when stdin does, and with the parent process\n"
      "  --help, --version\n\n";
  for (const auto& item : tkm::find(json, "properties")->GetObject()) {
    std::string line = "  " + flag_of(tkm::text_of(item.name));
    line.resize(std::max<size_t>(25, line.size() + 1), ' ');
    text += line + std::string(tkm::get_string(item.value, "description"));
    if (const Json* choices = tkm::find(item.value, "enum")) {
      text += " [";
      for (const Json& choice : choices->GetArray()) text += std::string(tkm::text_of(choice)) + "|";
      text.back() = ']';
    }
    if (const Json* standard = tkm::find(item.value, "default"))
      text += " (default " + shown(*standard) + ")";
    text += "\n";
  }
  return text;
}

}  // namespace tokometer::sim

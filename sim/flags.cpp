#include "sim/flags.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "sim/option_check.hpp"

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
    fill_defaults();
    check_options(schema_, options_, errors_);
    if (!errors_.empty()) return errors_;
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
    Json value = value_of(*schema, text);
    const bool is_repeated = !given_.insert(key).second;
    if (is_repeated && value.IsArray() && options_[key.c_str()].IsArray()) return append(key, value);
    put(key, std::move(value));
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
    const Json& options = given;
    for (const auto& member : options.GetObject()) {
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

  // A list may be given in pieces: --adapters a --adapters b,c.
  void append(const std::string& key, Json& items) {
    Json& list = options_[key.c_str()];
    for (Json& item : items.GetArray()) list.PushBack(item, memory());
  }

  void fill_defaults() {
    for (const auto& item : properties().GetObject()) {
      const Json* standard = tkm::find(item.value, "default");
      if (standard == nullptr || tkm::find(options_, tkm::text_of(item.name)) != nullptr) continue;
      Json value(*standard, memory());
      put(std::string(tkm::text_of(item.name)), std::move(value));
    }
  }

  JsonDocument schema_, options_;
  std::vector<std::string> flags_;
  std::set<std::string> given_;  // keys that came as flags
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

#include "config/schema_walk.hpp"

#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/environment.hpp"
#include "config/sentences.hpp"

namespace tokometer {
namespace {

using tkm::Json;
using tkm::JsonWriter;
using Pointer = Validator::Pointer;

constexpr size_t kMaxSecretBytes = 64 * 1024;
constexpr const char* kMask = "***";

std::vector<std::string> available_keys(const Json& properties) {
  std::vector<std::string> keys;
  for (const auto& property : properties.GetObject()) {
    if (tkm::find(property.value, "not") == nullptr) keys.emplace_back(tkm::text_of(property.name));
  }
  return keys;
}

// Where a relative path in this value starts: the folder of the file that names it; the working directory for
// stdin and the command line.
std::string absolute_path(const Node& node) {
  namespace fs = std::filesystem;
  std::error_code fault;
  const fs::path folder =
      node.value_position.line > 0 ? fs::path(node.value_position.file).parent_path() : "";
  return fs::absolute(folder / node.text, fault).lexically_normal().string();
}

// What a schema gives as default, as if it had been written at the place of the object that lacks it.
Node default_node(const Json& value, const Json& schema, const Node& parent) {
  Node node;
  node.key_position = node.value_position = {};
  node.path = parent.path;
  std::string text;
  if (value.IsArray() || value.IsObject()) {
    node.kind = value.IsArray() ? Node::Kind::sequence : Node::Kind::map;
    if (value.IsArray()) {
      for (const Json& item : value.GetArray()) node.items.push_back(default_node(item, schema, parent));
    } else {
      for (const auto& member : value.GetObject()) {
        node.items.push_back(default_node(member.value, schema, parent));
        node.items.back().key = tkm::text_of(member.name);
      }
    }
  } else if (value.IsString()) {
    node.text = node.raw = tkm::text_of(value);
  } else {
    JsonWriter(text).value(value);
    const std::string_view format = tkm::get_string(schema, "format");
    const char* unit = !value.IsNumber() ? "" : format == "duration" ? "s" : format == "bytes" ? "B" : "";
    node.text = node.raw = text + unit;
    node.plain = *unit == '\0';
  }
  return node;
}

// One walk over the value and its schema side by side.
class Walk {
 public:
  explicit Walk(Checked& out) : out_(out), canonical_(out.canonical_json), resolved_(out.resolved_json) {}

  void value(const Node& node, const Json& schema) {
    const std::string_view format = tkm::get_string(schema, "format");
    if (node.unresolved) return no_value();
    if (is_secret(node, schema)) return secret(node, schema);
    if (node.kind == Node::Kind::map && (properties_of(schema) || additional_of(schema))) {
      return object(node, schema);
    }
    if (node.kind == Node::Kind::sequence && tkm::find(schema, "items")) return array(node, schema);
    if (format == "duration" || format == "bytes" || format == "ratio") return measure(node, schema, format);
    if (format == "auto" && node.text == "auto") return switched(0, "auto");
    const bool is_text = node.kind == Node::Kind::scalar && node.type() == Node::Type::text;
    if (format == "path" && is_text && !node.text.empty()) return text(absolute_path(node));
    if (format == "label" && node.kind == Node::Kind::scalar) return text(node.text);
    open_value(node);
  }

  // Places whose fault is already told.
  const std::set<Pointer>& told() const { return told_; }

 private:
  void fault(Error error) { out_.faults.push_back(std::move(error)); }

  // What could not be read: null, and valijson's complaint about it is not repeated.
  void no_value() {
    told_.insert(here_);
    canonical_.value(nullptr);
    resolved_.value(nullptr);
  }

  // A word that stands for a number; the bounds of the schema are not meant for it.
  void switched(int64_t canonical, std::string_view word) {
    told_.insert(here_);
    canonical_.value(canonical);
    resolved_.value(word);
  }

  void text(const std::string& content) {
    canonical_.value(content);
    resolved_.value(protect_dollars(content));
  }

  void member(const Node& node, std::string_view key, const Json& schema) {
    canonical_.key(key);
    resolved_.key(key);
    here_.emplace_back(key);
    value(node, schema);
    here_.pop_back();
  }

  void object(const Node& node, const Json& schema) {
    static const Json kNone(rapidjson::kObjectType);
    const Json& properties = properties_of(schema) != nullptr ? *properties_of(schema) : kNone;
    canonical_.begin_object();
    resolved_.begin_object();
    for (const auto& property : properties.GetObject()) {
      known_member(node, tkm::text_of(property.name), property.value);
    }
    for (const Node& item : node.items) {
      if (tkm::find(properties, item.key) != nullptr) continue;
      if (const Json* rest = additional_of(schema)) {
        member(item, item.key, *rest);
      } else {
        fault(fault_at_key(item, unknown_key(item.key, available_keys(properties))));
      }
    }
    canonical_.end_object();
    resolved_.end_object();
  }

  // What was written under a known key, or its default.
  void known_member(const Node& node, std::string_view key, const Json& schema) {
    const Node* item = node.find(key);
    if (item == nullptr) {
      const Json* standard = tkm::find(schema, "default");
      if (standard != nullptr) member(default_node(*standard, schema, node), key, schema);
      return;
    }
    if (tkm::find(schema, "not") != nullptr)
      return fault(fault_at_key(*item, "not available in this version"));
    if (tkm::get_bool(schema, "deprecated")) out_.warnings.push_back(fault_at_key(*item, "is deprecated"));
    member(*item, key, schema);
  }

  void array(const Node& node, const Json& schema) {
    canonical_.begin_array();
    resolved_.begin_array();
    for (size_t index = 0; index < node.items.size(); ++index) {
      here_.push_back(std::to_string(index));
      value(node.items[index], *tkm::find(schema, "items"));
      here_.pop_back();
    }
    canonical_.end_array();
    resolved_.end_array();
  }

  // Durations, sizes and ratios become numbers.
  void measure(const Node& node, const Json& schema, std::string_view format) {
    const bool scalar = node.kind == Node::Kind::scalar;
    const bool is_text = scalar && node.type() == Node::Type::text;
    if (may_be_off(schema) && scalar && (node.text == "off" || (node.plain && node.text == "false"))) {
      return switched(0, "off");
    }
    if (format == "ratio" && scalar) {
      if (const auto ratio = ratio_of(node)) {
        canonical_.value(*ratio);
        resolved_.value(*ratio);
        return;
      }
    } else if (format == "duration" && is_text) {
      if (const auto ns = parse_duration_ns(node.text)) {
        canonical_.value(static_cast<double>(*ns) / 1e9);
        resolved_.value(format_duration(*ns));
        return;
      }
    } else if (format == "bytes" && is_text) {
      if (const auto bytes = parse_size_bytes(node.text)) {
        canonical_.value(*bytes);
        resolved_.value(format_size(*bytes));
        return;
      }
    }
    fault(fault_at_value(node, must_be(schema, node)));
    no_value();
  }

  // "1%" or 0.01.
  static std::optional<double> ratio_of(const Node& node) {
    const bool percent = node.text.ends_with('%');
    Node number = node;
    number.plain = true;
    if (percent) number.text.pop_back();
    if (number.type() != Node::Type::integer && number.type() != Node::Type::number) return std::nullopt;
    double value = -1;
    std::from_chars(number.text.data(), number.text.data() + number.text.size(), value);
    if (percent) value /= 100;
    return value >= 0 && value <= 1 ? std::optional(value) : std::nullopt;
  }

  static bool is_secret(const Node& node, const Json& schema) {
    const std::string_view format = tkm::get_string(schema, "format");
    if (format == "secret" || tkm::get_bool(schema, "writeOnly")) return true;
    const bool is_text = node.kind == Node::Kind::scalar && node.type() == Node::Type::text;
    if (format == "proxy")
      return node.kind == Node::Kind::map || (is_text && node.text.find('@') != node.text.npos);
    const bool any_text = format.empty() || format == "label";
    return is_text && any_text && tkm::find(schema, "enum") == nullptr && is_secret_name(node.key);
  }

  void secret(const Node& node, const Json& schema) {
    if (node.kind == Node::Kind::map) return secret_from_file(node);
    if (node.kind != Node::Kind::scalar || node.type() == Node::Type::null) {
      fault(fault_at_value(node, "must be " + expectation(schema) + " " + got(node)));
      return no_value();
    }
    if (node.unsafe) {
      fault(fault_at_value(node, "secrets are not taken from the command line; use ${NAME} or file:"));
      return no_value();
    }
    const bool from_variable = has_variable(node.raw), from_command_line = node.value_position.line == 0;
    if (!from_variable && !from_command_line && !node.text.empty()) {
      out_.warnings.push_back(
          fault_at_value(node, "a secret in clear text; use ${NAME} or {file: PATH} instead"));
    }
    keep_secret(node, node.text);
    canonical_.value(node.text);
    resolved_.value(from_variable ? node.raw : node.text.empty() ? "" : kMask);
  }

  // A server may repeat a part of it: of "Bearer KEY" the key alone. Long words count as secrets of their
  // own.
  void keep_secret(const Node& node, std::string_view value) {
    constexpr size_t kLongWord = 8;
    if (value.empty()) return;
    out_.secrets.emplace_back(std::string(value));
    if (value.size() < Redactor::kShortest) {
      out_.warnings.push_back(
          fault_at_value(node, "a secret of less than 4 bytes cannot be masked in output"));
    }
    const size_t whole = value.size();
    while (!value.empty()) {
      const size_t end = std::min(value.find_first_of(" ;=,"), value.size());
      if (end >= kLongWord && end < whole) out_.secrets.emplace_back(std::string(value.substr(0, end)));
      value.remove_prefix(std::min(end + 1, value.size()));
    }
  }

  void secret_from_file(const Node& node) {
    const Node* file = node.find("file");
    const bool alone = file != nullptr && node.items.size() == 1 && file->kind == Node::Kind::scalar;
    if (!alone) {
      fault(fault_at_value(node, "must be text, or {file: PATH} and nothing else"));
      return no_value();
    }
    if (file->unresolved) return no_value();
    const std::string path = absolute_path(*file);
    auto content = read_file(path, kMaxSecretBytes);
    if (!content) {
      fault(fault_at_value(*file, content.error().message));
      return no_value();
    }
    content->erase(content->find_last_not_of("\r\n") + 1);
    if (!is_valid_utf8(*content)) {
      fault(fault_at_value(*file, escape_terminal(path) + ": not valid UTF-8"));
      return no_value();
    }
    keep_secret(node, *content);
    canonical_.value(*content);
    resolved_.begin_object().member("file", protect_dollars(path)).end_object();
  }

  // A value that the schema leaves free, taken as it is; secrets by name are masked in it all the same.
  void open_value(const Node& node) {
    if (node.unresolved) return no_value();
    if (node.kind == Node::Kind::scalar) {
      const std::string json = to_json(node);
      canonical_.raw(json);
      if (node.type() == Node::Type::text) {
        resolved_.value(protect_dollars(node.text));
      } else {
        resolved_.raw(json);
      }
      return;
    }
    static const Json kFree(rapidjson::kObjectType);
    const bool is_map = node.kind == Node::Kind::map;
    is_map ? canonical_.begin_object() : canonical_.begin_array();
    is_map ? resolved_.begin_object() : resolved_.begin_array();
    for (size_t index = 0; index < node.items.size(); ++index) {
      const Node& item = node.items[index];
      if (is_map) {
        member(item, item.key, kFree);
      } else {
        here_.push_back(std::to_string(index));
        value(item, kFree);
        here_.pop_back();
      }
    }
    is_map ? canonical_.end_object() : canonical_.end_array();
    is_map ? resolved_.end_object() : resolved_.end_array();
  }

  Checked& out_;
  JsonWriter canonical_, resolved_;
  Pointer here_;
  std::set<Pointer> told_;
};

}  // namespace

std::set<Pointer> walk_schema(const Node& value, const Json& schema, Checked& out) {
  Walk walk(out);
  walk.value(value, schema);
  return walk.told();
}

const tkm::Json* properties_of(const tkm::Json& schema) {
  return tkm::find(schema, "properties");
}

const tkm::Json* additional_of(const tkm::Json& schema) {
  const Json* additional = tkm::find(schema, "additionalProperties");
  return additional != nullptr && additional->IsObject() ? additional : nullptr;
}

}  // namespace tokometer

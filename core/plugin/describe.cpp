#include "plugin/describe.hpp"

#include <tokometer/json.hpp>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace tokometer {
namespace {

using tkm::Json;
using tkm::text_of;

struct Option {
  std::string path;      // "prompt.mean"
  std::string name;      // "mean"
  size_t depth;          // 0: directly under options
  std::string type;      // "duration, > 0"
  std::string fallback;  // default as YAML; empty: none
  std::string help;
  std::string example;  // as YAML; empty: none
  bool required, deprecated;
  bool is_group;  // an object and nothing else: its value is what stands below it
};

std::string json_text(const Json& value) {
  std::string text;
  tkm::JsonWriter(text).value(value);
  return text;
}

// A word, a duration and a size are YAML strings as they are; everything else is written as JSON, which is
// YAML too.
std::string yaml_text(const Json& value) {
  const std::string_view text = text_of(value);
  if (parse_duration_ns(text) || parse_size_bytes(text)) return std::string(text);
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const std::array<std::string_view, 7> not_strings = {"true", "false", "null", "yes", "no", "on", "off"};
  const bool is_word = !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
                       std::all_of(text.begin(), text.end(), is_plain) &&
                       std::find(not_strings.begin(), not_strings.end(), text) == not_strings.end();
  return is_word ? std::string(text) : json_text(value);
}

// 1e7 in a schema is 10000000 for people.
std::string number_text(const Json& value) {
  const auto whole = tkm::int_of(value);
  return whole ? std::to_string(*whole) : json_text(value);
}

std::string type_name(const Json& schema) {
  const std::string_view format = tkm::get_string(schema, "format");
  if (!format.empty()) return std::string(format);
  const Json* type = tkm::find(schema, "type");
  if (type == nullptr) return tkm::find(schema, "enum") != nullptr ? "one of" : "any";
  if (type->IsString()) return std::string(text_of(*type));
  std::string all;
  if (type->IsArray()) {
    for (const Json& each : type->GetArray()) all += (all.empty() ? "" : " or ") + std::string(text_of(each));
  }
  return all;
}

// "number, > 0", "one of chat, completions", "list of string, at least 1".
std::string type_text(const Json& schema) {
  if (const Json* values = tkm::find(schema, "enum"); values != nullptr && values->IsArray()) {
    std::string text;
    for (const Json& value : values->GetArray()) text += (text.empty() ? "one of " : ", ") + yaml_text(value);
    return text;
  }
  std::string text = type_name(schema);
  if (const Json* items = tkm::find(schema, "items"); text == "array" && items != nullptr)
    text = "list of " + type_text(*items);
  const auto bound = [&](const char* key, const char* before, const char* after) {
    const Json* value = tkm::find(schema, key);
    if (value != nullptr) text += std::string(", ") + before + number_text(*value) + after;
  };
  bound("minimum", ">= ", "");
  bound("exclusiveMinimum", "> ", "");
  bound("maximum", "<= ", "");
  bound("minLength", "length >= ", "");
  bound("minItems", "at least ", " of them");
  return text;
}

bool is_listed(const Json* required, std::string_view name) {
  if (required == nullptr || !required->IsArray()) return false;
  return std::any_of(required->Begin(), required->End(),
                     [&](const Json& each) { return text_of(each) == name; });
}

Option make_option(const Json& schema, std::string_view name, const std::string& prefix, size_t depth,
                   bool required) {
  Option option{prefix + std::string(name),
                std::string(name),
                depth,
                type_text(schema),
                {},
                {},
                {},
                required,
                false,
                false};
  if (const Json* fallback = tkm::find(schema, "default")) option.fallback = yaml_text(*fallback);
  const Json* examples = tkm::find(schema, "examples");
  if (examples != nullptr && examples->IsArray() && !examples->Empty())
    option.example = yaml_text((*examples)[0]);
  option.help = tkm::get_string(schema, "description");
  option.deprecated = tkm::get_bool(schema, "deprecated");
  if (tkm::get_bool(schema, "writeOnly") && type_name(schema) != "secret") option.type += ", secret";
  const Json* properties = tkm::find(schema, "properties");
  const bool has_members = properties != nullptr && properties->IsObject() && properties->MemberCount() > 0;
  option.is_group = has_members && type_name(schema) == "object";
  return option;
}

void collect(const Json& schema, const std::string& prefix, size_t depth, std::vector<Option>& options) {
  const Json* properties = tkm::find(schema, "properties");
  if (properties == nullptr || !properties->IsObject()) return;
  const Json* required = tkm::find(schema, "required");
  for (const auto& member : properties->GetObject()) {
    const std::string_view name = text_of(member.name);
    options.push_back(make_option(member.value, name, prefix, depth, is_listed(required, name)));
    collect(member.value, options.back().path + ".", depth + 1, options);
  }
}

std::vector<Option> options_of(const Component& component) {
  tkm::JsonDocument schema;
  std::vector<Option> options;
  if (tkm::parse_json(component.config_schema(), schema)) collect(schema, "", 0, options);
  return options;
}

std::string qualified_name(const Component& component) {
  const std::string module(component.module_name()), name(component.name());
  const bool alone = module == "standard" || module == name || module == "tokenizer-" + name;
  return alone ? name : module + "/" + name;
}

std::string section_of(const Component& component) {
  return component.kind() == TKM_KIND_PATTERN ? "load" : std::string(kind_name(component.kind()));
}

// As the section stands in a run file: a tokenizer's is inside `model`.
std::string placed(const Component& component, const std::string& section) {
  if (component.kind() != TKM_KIND_TOKENIZER) return section;
  std::string text = "model:\n";
  for (size_t at = 0; at < section.size();) {
    const size_t end = section.find('\n', at) + 1;
    text += "  " + section.substr(at, end - at);
    at = end;
  }
  return text;
}

std::string title(const Component& component) {
  return qualified_name(component) + ": " + std::string(kind_name(component.kind())) + ", module " +
         std::string(component.module_name()) + " " + std::string(component.version());
}

std::vector<std::string> capabilities_of(const Component& component) {
  std::vector<std::string> all;
  for (size_t i = 0; i < component.entry->capability_count; ++i) {
    all.emplace_back(component.entry->capabilities[i].data, component.entry->capabilities[i].size);
  }
  return all;
}

std::string one_line(std::string_view text) {
  return escape_terminal(text, 4096);
}

// Columns as wide as their longest cell; the last is not padded.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string default_text(const Option& option) {
  if (option.required) return "required";
  return option.fallback.empty() ? "-" : option.fallback;
}

// What an option would be set to in a skeleton: its default, its example, or a place to fill in.
std::string yaml_value(const Option& option) {
  if (option.is_group) return "";
  if (!option.fallback.empty()) return " " + option.fallback;
  return option.example.empty() ? " ..." : " " + option.example;
}

std::string yaml_line(const Option& option, bool live) {
  const std::string help =
      option.help.empty() ? option.type : one_line(option.help) + " (" + option.type + ")";
  return std::string(2 * option.depth, ' ') + option.name + ":" + yaml_value(option) + "   # " +
         (live ? "required: " : "") + help;
}

std::string abi_text(const ModuleNote& note) {
  const std::string draft = note.draft == 0 ? "" : " draft " + std::to_string(note.draft);
  return std::to_string(note.major) + "." + std::to_string(note.minor) + draft;
}

std::string state_text(const ModuleInfo& module) {
  if (!module.problem.empty()) return "cannot be loaded: " + one_line(module.problem);
  if (!module.shadowed_by.empty()) return "shadowed by " + one_line(module.shadowed_by);
  return "";
}

}  // namespace

std::string render_plugin_list(const std::vector<ModuleInfo>& modules, const SearchPath& search_path) {
  std::string text;
  if (modules.empty()) {
    text = "No plugins found.\n";
  } else {
    std::vector<std::vector<std::string>> rows{{"MODULE", "VERSION", "ABI", "FILE", ""}};
    for (const ModuleInfo& module : modules) {
      const bool is_known = module.problem.empty();
      rows.push_back({module.name, is_known ? one_line(module.note.version) : "-",
                      is_known ? abi_text(module.note) : "-", one_line(module.path), state_text(module)});
    }
    text = table(rows);
  }
  text += "\nSearched, first wins";
  text += search_path.trust ? " (without owner checks: --trust-plugin-dir):\n" : ":\n";
  for (const SearchDirectory& directory : search_path.directories) {
    text += "  " + one_line(directory.path) + "  (" + directory.origin + ")\n";
  }
  return text;
}

std::string render_component_table(const Component& component) {
  std::string text = title(component) + "\n";
  if (!component.summary().empty()) text += one_line(component.summary()) + "\n";
  text += "File: " + one_line(component.path) + "\n";
  std::string capabilities;
  for (const std::string& each : capabilities_of(component)) capabilities += " " + each;
  if (!capabilities.empty()) text += "Capabilities:" + capabilities + "\n";

  const auto options = options_of(component);
  if (options.empty()) return text + "\nNo options.\n";
  std::vector<std::vector<std::string>> rows{{"OPTION", "TYPE", "DEFAULT", "HELP"}};
  for (const Option& option : options) {
    rows.push_back({option.path, option.type, default_text(option),
                    (option.deprecated ? "(deprecated) " : "") + one_line(option.help)});
  }
  return text + "\n" + table(rows);
}

std::string render_component_yaml(const Component& component) {
  const auto options = options_of(component);
  const bool has_required =
      std::any_of(options.begin(), options.end(), [](const Option& o) { return o.required && o.depth == 0; });
  std::string head = "# " + title(component) + "\n";
  if (!component.summary().empty()) head += "# " + one_line(component.summary()) + "\n";
  std::string text = section_of(component) + ":\n  use: " + qualified_name(component) + "\n";
  if (options.empty()) return head + placed(component, text);
  text += has_required ? "  options:\n" : "  # options:\n";
  const std::string comment = has_required ? "    # " : "  #   ";
  std::vector<bool> is_live;  // for each depth: is this object written out, not commented?
  size_t shown_depth = 0;     // what stands deeper is another way to write the value above
  for (const Option& option : options) {
    shown_depth = std::min(shown_depth, option.depth);
    if (option.depth > shown_depth) continue;
    if (option.is_group) ++shown_depth;
    is_live.resize(option.depth + 1);
    is_live[option.depth] = option.required && (option.depth == 0 || is_live[option.depth - 1]);
    const bool live = is_live[option.depth];
    text += (live ? "    " : comment) + yaml_line(option, live) + "\n";
  }
  return head + placed(component, text);
}

std::string render_component_json(const Component& component) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object()
      .member("name", qualified_name(component))
      .member("kind", kind_name(component.kind()))
      .member("module", component.module_name())
      .member("version", component.version())
      .member("summary", component.summary())
      .member("path", component.path)
      .member("sha256", component.sha256)
      .member("build_id", component.build_id);
  json.key("capabilities").begin_array();
  for (const std::string& each : capabilities_of(component)) json.value(each);
  json.end_array();
  json.raw_member("options", component.config_schema()).end_object();
  return text + "\n";
}

}  // namespace tokometer

#include "check/sample_options.hpp"

#include <tokometer/json.hpp>

#include <optional>
#include <utility>

#include "check/finding.hpp"
#include "config/schema.hpp"
#include "config/yaml.hpp"

namespace tokometer::check {
namespace {

using tkm::Json;

std::string text_of(const Json& value) {
  std::string text;
  tkm::JsonWriter(text).value(value);
  return text;
}

const Json* first_item(const Json& schema, std::string_view key) {
  const Json* list = tkm::find(schema, key);
  return list != nullptr && list->IsArray() && !list->Empty() ? &(*list)[0] : nullptr;
}

std::optional<std::string> sample_of(const Json& schema);

std::optional<std::string> sample_object(const Json& schema) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object();
  const Json* required = tkm::find(schema, "required");
  const Json* properties = tkm::find(schema, "properties");
  if (required != nullptr && required->IsArray() && properties != nullptr) {
    for (const Json& name : required->GetArray()) {
      const Json* option = tkm::find(*properties, tkm::text_of(name));
      const auto sample = option != nullptr ? sample_of(*option) : std::nullopt;
      if (!sample) return std::nullopt;
      json.key(tkm::text_of(name)).raw(*sample);
    }
  }
  json.end_object();
  return text;
}

// What one option can be set to, by its own word.
std::optional<std::string> sample_of(const Json& schema) {
  if (const Json* value = tkm::find(schema, "default")) return text_of(*value);
  const bool is_file = tkm::get_string(schema, "format") == "path";
  if (const Json* value = first_item(schema, "examples"); value != nullptr && !is_file)
    return text_of(*value);
  if (const Json* value = first_item(schema, "enum")) return text_of(*value);
  const std::string_view type = tkm::get_string(schema, "type");
  if (type == "boolean") return "false";
  if (type == "object") return sample_object(schema);
  if (const Json* least = tkm::find(schema, "minimum")) return text_of(*least);
  return std::nullopt;
}

const tkm::JsonDocument schema_of(const Component& component) {
  tkm::JsonDocument schema;
  tkm::parse_json(component.config_schema(), schema);
  return schema;
}

template <class Visit>
void each_option(const Json& schema, Visit visit) {
  const Json* properties = tkm::find(schema, "properties");
  if (properties == nullptr || !properties->IsObject()) return;
  for (const auto& member : properties->GetObject()) visit(tkm::text_of(member.name), member.value);
}

}  // namespace

Result<std::string> canonical_options(const Component& component, std::string_view options_json,
                                      const std::string& folder) {
  const auto document = parse_yaml(options_json, folder + "/setup.json");
  if (!document) return document.errors();
  const auto schema = Schema::parse(component.config_schema());
  if (!schema) return schema.errors();
  Checked checked = schema->check(document->root);
  if (!checked.faults.empty()) return checked.faults;
  return checked.canonical_json;
}

Result<std::string> sample_options(const Component& component) {
  const tkm::JsonDocument schema = schema_of(component);
  if (auto sample = sample_object(schema)) return *sample;
  std::string missing;
  const Json* required = tkm::find(schema, "required");
  for (const Json& name : required->GetArray()) {
    const Json* option = tkm::find(*tkm::find(schema, "properties"), tkm::text_of(name));
    if (option == nullptr || !sample_of(*option)) missing = tkm::text_of(name);
  }
  return Error{"option " + in_quotes(missing) +
               " is required and has no example to try: give it in setup.json of --fixtures"};
}

std::vector<Variant> option_variants(const Component& component) {
  std::vector<Variant> all;
  const tkm::JsonDocument schema = schema_of(component);
  const auto base = sample_object(schema);
  if (!base) return all;
  each_option(schema, [&](std::string_view name, const Json& option) {
    const auto add = [&](const char* what, const Json& value) {
      const std::string text = text_of(value);
      all.push_back({"option " + in_quotes(name) + ", " + what + " " + text, with_option(*base, name, text)});
    };
    if (const Json* value = tkm::find(option, "default")) add("default", *value);
    const Json* examples = tkm::find(option, "examples");
    if (examples == nullptr || !examples->IsArray()) return;
    for (const Json& example : examples->GetArray()) add("example", example);
  });
  return all;
}

std::vector<std::string> option_names(const Component& component, std::string_view format) {
  std::vector<std::string> names;
  const tkm::JsonDocument schema = schema_of(component);
  each_option(schema, [&](std::string_view name, const Json& option) {
    if (format.empty() || tkm::get_string(option, "format") == format) names.emplace_back(name);
  });
  return names;
}

std::string with_option(std::string_view options_json, std::string_view name, std::string_view value) {
  tkm::JsonDocument options;
  tkm::parse_json(options_json, options);
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object();
  if (options.IsObject()) {
    for (const auto& member : std::as_const(options).GetObject()) {
      if (tkm::text_of(member.name) != name) json.key(tkm::text_of(member.name)).value(member.value);
    }
  }
  json.key(name).raw(value).end_object();
  return text;
}

}  // namespace tokometer::check

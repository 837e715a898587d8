#include "config/schema.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "config/schema_walk.hpp"
#include "config/sentences.hpp"
#include "config/validator.hpp"

namespace tokometer {
namespace {

using tkm::Json;
using tkm::JsonDocument;
using tkm::JsonWriter;
using Pointer = Validator::Pointer;

// The schema as valijson shall see it: for the canonical value, without what our own walk does.
void write_for_validator(JsonWriter& json, const Json& schema);

void write_members_for_validator(JsonWriter& json, const char* key, const Json& members) {
  json.key(key).begin_object();
  for (const auto& member : members.GetObject()) {
    if (tkm::find(member.value, "not") == nullptr) {
      write_for_validator(json.key(tkm::text_of(member.name)), member.value);
    }
  }
  json.end_object();
}

// What must be there. The run file's own schema has an `if` and `then`: sections that a file with workloads
// may leave to them. What is checked here is each workload's tree, which is whole.
std::vector<std::string> required_of(const Json& schema) {
  std::vector<std::string> names;
  const auto add = [&names](const Json& part) {
    const Json* list = tkm::find(part, "required");
    if (list == nullptr) return;
    for (const Json& name : list->GetArray()) names.emplace_back(tkm::text_of(name));
  };
  add(schema);
  if (const Json* then = tkm::find(schema, "then")) add(*then);
  return names;
}

void write_for_validator(JsonWriter& json, const Json& schema) {
  json.begin_object();
  if (const auto types = types_of(schema); !types.empty()) {
    json.key("type").begin_array();
    for (const std::string& type : types) json.value(type);
    json.end_array();
  }
  for (const char* key :
       {"enum", "minimum", "maximum", "exclusiveMinimum", "minLength", "minItems", "pattern"}) {
    if (const Json* rule = tkm::find(schema, key)) json.key(key).value(*rule);
  }
  if (const auto names = required_of(schema); !names.empty()) {
    json.key("required").begin_array();
    for (const std::string& name : names) json.value(name);
    json.end_array();
  }
  const bool is_secret = tkm::get_string(schema, "format") == "secret";
  if (const Json* properties = properties_of(schema); properties != nullptr && !is_secret) {
    write_members_for_validator(json, "properties", *properties);
  }
  if (const Json* items = tkm::find(schema, "items")) write_for_validator(json.key("items"), *items);
  if (const Json* rest = additional_of(schema)) write_for_validator(json.key("additionalProperties"), *rest);
  json.end_object();
}

// A place in three trees at once; null where that tree does not have it.
struct Place {
  const Node* node;
  const Json* schema;
  const Json* value;
};

Place step(const Place& from, const std::string& part) {
  if (from.value == nullptr || from.schema == nullptr) return {};
  if (from.value->IsArray()) {
    const size_t index = std::stoul(part);
    const bool written = from.node != nullptr && index < from.node->items.size();
    return {written ? &from.node->items[index] : nullptr, tkm::find(*from.schema, "items"),
            &(*from.value)[static_cast<rapidjson::SizeType>(index)]};
  }
  const Json* properties = properties_of(*from.schema);
  const Json* schema = properties != nullptr ? tkm::find(*properties, part) : nullptr;
  if (schema == nullptr) schema = additional_of(*from.schema);
  return {from.node != nullptr ? from.node->find(part) : nullptr, schema, tkm::find(*from.value, part)};
}

// Was the missing key written with a fault? "did you mean" says enough then.
bool is_misspelt(const std::string& key, const Node& node, const Json& schema) {
  const Json* properties = properties_of(schema);
  return std::any_of(node.items.begin(), node.items.end(), [&](const Node& item) {
    const bool unknown = properties != nullptr && tkm::find(*properties, item.key) == nullptr;
    return unknown && nearest_name(item.key, std::vector{key}).has_value();
  });
}

void explain(const Place& place, const Pointer& pointer, std::vector<Error>& faults) {
  if (place.schema == nullptr || place.value == nullptr) return;
  if (place.node == nullptr) {  // nobody wrote it: a default
    if (!breaks(*place.schema, *place.value)) return;
    faults.push_back(
        {"the schema's default of \"" + pointer.back() + "\" must be " + expectation(*place.schema)});
    return;
  }
  if (breaks(*place.schema, *place.value)) {
    faults.push_back(fault_at_value(*place.node, must_be(*place.schema, *place.node)));
    return;
  }
  if (!place.value->IsObject()) return;
  for (const std::string& key : required_of(*place.schema)) {
    if (tkm::find(*place.value, key) == nullptr && !is_misspelt(key, *place.node, *place.schema)) {
      faults.push_back(fault_at_key(*place.node, "\"" + key + "\" is missing"));
    }
  }
}

}  // namespace

struct Schema::Parsed {
  JsonDocument json, for_validator;
  std::optional<Validator> validator;
};

Schema::Schema(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

Result<Schema> Schema::parse(std::string_view schema_json) {
  auto parsed = std::make_unique<Parsed>();
  if (!tkm::parse_json(schema_json, parsed->json) || !parsed->json.IsObject()) {
    return Error{"the schema is no JSON object"};
  }
  std::string text;
  JsonWriter writer(text);
  write_for_validator(writer, parsed->json);
  tkm::parse_json(text, parsed->for_validator);
  auto validator = Validator::compile(parsed->for_validator);
  if (!validator) return validator.error();
  parsed->validator = std::move(*validator);
  return Schema(std::move(parsed));
}

Checked Schema::check(const Node& value) const {
  Checked checked;
  const std::set<Pointer> told = walk_schema(value, parsed_->json, checked);
  JsonDocument canonical;
  tkm::parse_json(checked.canonical_json, canonical);
  for (const Pointer& pointer : parsed_->validator->faulty_places(canonical)) {
    if (told.contains(pointer)) continue;
    Place place{&value, &parsed_->json, &canonical};
    for (const std::string& part : pointer) place = step(place, part);
    explain(place, pointer, checked.faults);
  }
  return checked;
}

}  // namespace tokometer

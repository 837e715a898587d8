// How the C++ types of options are written in a JSON Schema, shown as a default, and read back from the
// canonical JSON. Included by <tokometer/options.hpp>.
#pragma once

#include <tokometer/json.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tkm {

// How a text in the run file is meant. The canonical JSON holds seconds for a duration, bytes for a size.
enum class Format { none, duration, bytes, url, path, secret };

// What an option may hold; kept as the JSON Schema keywords that `items` or the option itself gets.
struct OptionRules {
  Format format = Format::none;
  std::vector<std::string> choices;
  std::optional<double> minimum, maximum, above;
  std::optional<int64_t> min_length;
};

// How a C++ type is written in a schema, as a default and read back. Specialise it for a type of your own:
//   static void schema(JsonWriter&, const OptionRules&)          members of the schema object: "type",
//   "properties"... static bool read(const Json&, const OptionRules&, V&)        false: not of this type
//   static void write(JsonWriter&, const OptionRules&, const V&) a default, as a user would write it
template <class V>
struct OptionType;

// Types whose fresh value can be shown as a default. The others (optional members, structs) are absent by
// default.
template <class V>
concept ShowsDefault = requires(JsonWriter& json, const OptionRules& rules, const V& value) {
  OptionType<V>::write(json, rules, value);
};

namespace options_detail {

inline bool allows(const OptionRules& rules, double number) {
  return !(rules.minimum && number < *rules.minimum) && !(rules.maximum && number > *rules.maximum) &&
         !(rules.above && number <= *rules.above);
}

inline void write_rules(JsonWriter& json, const OptionRules& rules) {
  constexpr const char* kNames[] = {"", "duration", "bytes", "url", "path", "secret"};
  if (rules.format != Format::none) json.member("format", kNames[static_cast<size_t>(rules.format)]);
  if (!rules.choices.empty()) {
    json.key("enum").begin_array();
    for (const auto& choice : rules.choices) json.value(choice);
    json.end_array();
  }
  if (rules.minimum) json.member("minimum", *rules.minimum);
  if (rules.maximum) json.member("maximum", *rules.maximum);
  if (rules.above) json.member("exclusiveMinimum", *rules.above);
  if (rules.min_length) json.member("minLength", *rules.min_length);
}

// A number that a user writes with a unit: "0.5s", "1024B".
template <class Number>
void write_number(JsonWriter& json, const OptionRules& rules, Number number) {
  if (rules.format == Format::none) {
    json.value(number);
    return;
  }
  std::string text;
  JsonWriter(text).value(number);
  json.value(text += rules.format == Format::duration ? "s" : "B");
}

inline const char* number_type(const OptionRules& rules, const char* plain) {
  return rules.format == Format::none ? plain : "string";
}

}  // namespace options_detail

template <>
struct OptionType<bool> {
  static void schema(JsonWriter& json, const OptionRules&) { json.member("type", "boolean"); }
  static bool read(const Json& json, const OptionRules&, bool& value) {
    if (json.IsBool()) value = json.GetBool();
    return json.IsBool();
  }
  static void write(JsonWriter& json, const OptionRules&, bool value) { json.value(value); }
};

// With duration() a double holds seconds.
template <>
struct OptionType<double> {
  static void schema(JsonWriter& json, const OptionRules& rules) {
    json.member("type", options_detail::number_type(rules, "number"));
    options_detail::write_rules(json, rules);
  }
  static bool read(const Json& json, const OptionRules& rules, double& value) {
    if (json.IsNumber()) value = json.GetDouble();
    return json.IsNumber() && options_detail::allows(rules, value);
  }
  static void write(JsonWriter& json, const OptionRules& rules, double value) {
    options_detail::write_number(json, rules, value);
  }
};

// With duration() a whole number holds nanoseconds.
template <std::integral Whole>
struct OptionType<Whole> {
  static void schema(JsonWriter& json, const OptionRules& rules) {
    json.member("type", options_detail::number_type(rules, "integer"));
    options_detail::write_rules(json, rules);
  }
  static bool read(const Json& json, const OptionRules& rules, Whole& value) {
    std::optional<int64_t> whole;
    if (rules.format == Format::duration) {
      double seconds = 0;
      if (!OptionType<double>::read(json, rules, seconds) || !(std::abs(seconds) < 9e9)) return false;
      whole = std::llround(seconds * 1e9);
    } else {
      whole = int_of(json);
    }
    if (!whole || !std::in_range<Whole>(*whole)) return false;
    value = static_cast<Whole>(*whole);
    return rules.format == Format::duration || options_detail::allows(rules, static_cast<double>(value));
  }
  static void write(JsonWriter& json, const OptionRules& rules, Whole value) {
    if (rules.format == Format::duration) {
      options_detail::write_number(json, rules, static_cast<double>(value) / 1e9);
    } else {
      options_detail::write_number(json, rules, value);
    }
  }
};

template <>
struct OptionType<std::string> {
  static void schema(JsonWriter& json, const OptionRules& rules) {
    json.member("type", "string");
    options_detail::write_rules(json, rules);
    if (rules.format == Format::secret) json.member("writeOnly", true);
  }
  static bool read(const Json& json, const OptionRules& rules, std::string& value) {
    if (!json.IsString()) return false;
    value = text_of(json);
    bool known = rules.choices.empty();
    for (const auto& choice : rules.choices) known = known || choice == value;
    return known;
  }
  static void write(JsonWriter& json, const OptionRules&, const std::string& value) { json.value(value); }
};

// A list; the rules are those of its items.
template <class V>
struct OptionType<std::vector<V>> {
  static void schema(JsonWriter& json, const OptionRules& rules) {
    json.member("type", "array").key("items").begin_object();
    OptionType<V>::schema(json, rules);
    json.end_object();
  }
  static bool read(const Json& json, const OptionRules& rules, std::vector<V>& values) {
    if (!json.IsArray()) return false;
    values.clear();
    for (const Json& item : json.GetArray()) {
      V value{};
      if (!OptionType<V>::read(item, rules, value)) return false;
      values.push_back(std::move(value));
    }
    return true;
  }
  static void write(JsonWriter& json, const OptionRules& rules,
                    const std::vector<V>& values) requires ShowsDefault<V> {
    json.begin_array();
    for (const auto& value : values) OptionType<V>::write(json, rules, value);
    json.end_array();
  }
};

template <class V>
struct OptionType<std::optional<V>> {
  static void schema(JsonWriter& json, const OptionRules& rules) { OptionType<V>::schema(json, rules); }
  static bool read(const Json& json, const OptionRules& rules, std::optional<V>& value) {
    value.emplace();
    return OptionType<V>::read(json, rules, *value);
  }
};

}  // namespace tkm

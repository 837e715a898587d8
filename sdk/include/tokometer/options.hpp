// The options of a component, declared once: the same lines give the JSON Schema that the core shows and
// checks against, and the parser that turns the checked JSON into a plain struct.
//
//   struct BurstOptions {
//     int64_t size = 10;
//     int64_t every_ns = 1'000'000'000;
//     static void options(tkm::OptionSet<BurstOptions>& o) {
//       o.add("size", &BurstOptions::size).help("Requests in one burst.").at_least(1).example("100");
//       o.add("every", &BurstOptions::every_ns).help("From burst to burst.").duration().above(0);
//     }
//   };
//
// Members: bool, int64_t, double, std::string, another such struct, std::vector and std::optional of these,
// and types of your own through OptionType. What a fresh struct holds is the default, unless required().
// Bounds of durations are in seconds, of sizes in bytes: as in the canonical JSON that `create` gets
// (docs/plugins.md).
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/options/types.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

template <class T>
class OptionSet;

// One option: name, rules and what connects it to its member. All calls return the option, so that they
// chain.
template <class T>
class Option {
 public:
  const std::string& name() const { return name_; }
  bool is_secret() const { return rules_.format == Format::secret; }

  Option& help(std::string text) { return help_ = std::move(text), *this; }
  Option& required() { return required_ = true, *this; }
  Option& at_least(double number) { return rules_.minimum = number, *this; }
  Option& at_most(double number) { return rules_.maximum = number, *this; }
  Option& above(double number) { return rules_.above = number, *this; }
  Option& one_of(std::initializer_list<std::string> choices) { return rules_.choices = choices, *this; }
  Option& not_empty() { return rules_.min_length = 1, *this; }
  Option& min_items(int64_t count) { return min_items_ = count, *this; }
  // A value as it stands in the run file, in JSON: `"100ms"` with its quotes, `8` without. It is shown to
  // users.
  Option& example(std::string json) { return examples_.push_back(std::move(json)), *this; }
  Option& deprecated() { return deprecated_ = true, *this; }
  Option& duration() { return rules_.format = Format::duration, *this; }
  Option& bytes() { return rules_.format = Format::bytes, *this; }
  Option& url() { return rules_.format = Format::url, *this; }
  Option& path() { return rules_.format = Format::path, *this; }
  Option& secret() { return rules_.format = Format::secret, *this; }

 private:
  friend class OptionSet<T>;
  std::string name_, help_;
  OptionRules rules_;
  std::optional<int64_t> min_items_;
  std::vector<std::string> examples_;
  bool required_ = false, deprecated_ = false;
  std::function<void(JsonWriter&, const OptionRules&)> write_type_;
  std::function<void(JsonWriter&, const OptionRules&, const T&)> write_default_;  // empty: absent by default
  std::function<bool(const Json&, const OptionRules&, T&)> read_;
};

// All options of T, in the order in which they are shown. T::options(OptionSet<T>&) fills it.
template <class T>
class OptionSet {
 public:
  OptionSet() { T::options(*this); }

  // The reference stays valid while the set lives.
  template <class V>
  Option<T>& add(std::string_view name, V T::*member) {
    Option<T>& option = options_.emplace_back();
    option.name_ = name;
    option.write_type_ = OptionType<V>::schema;
    if constexpr (requires(JsonWriter & json, const V& v) { OptionType<V>::write(json, OptionRules{}, v); }) {
      option.write_default_ = [member](JsonWriter& json, const OptionRules& rules, const T& from) {
        OptionType<V>::write(json, rules, from.*member);
      };
    }
    option.read_ = [member](const Json& json, const OptionRules& rules, T& into) {
      return OptionType<V>::read(json, rules, into.*member);
    };
    return option;
  }

  // The members of the schema object: type, properties, required.
  void write_schema(JsonWriter& json) const {
    const T defaults{};
    json.member("type", "object").key("properties").begin_object();
    for (const auto& option : options_) write_property(json, option, defaults);
    json.end_object();
    bool any = false;
    for (const auto& option : options_) {
      if (!option.required_) continue;
      if (!any) json.key("required").begin_array();
      any = true;
      json.value(option.name_);
    }
    if (any) json.end_array();
  }

  // Reads what is there; what is not keeps its default. The first bad or missing option, or null.
  const Option<T>* read(const Json& json, T& into) const {
    for (const auto& option : options_) {
      const Json* value = find(json, option.name_);
      const bool good = value != nullptr ? option.read_(*value, option.rules_, into) : !option.required_;
      if (!good) return &option;
    }
    return nullptr;
  }

 private:
  static void write_property(JsonWriter& json, const Option<T>& option, const T& defaults) {
    json.key(option.name_).begin_object();
    option.write_type_(json, option.rules_);
    if (!option.help_.empty()) json.member("description", option.help_);
    if (option.min_items_) json.member("minItems", *option.min_items_);
    if (option.deprecated_) json.member("deprecated", true);
    if (!option.required_ && option.write_default_) write_default(json, option, defaults);
    if (!option.examples_.empty()) {
      json.key("examples").begin_array();
      for (const auto& example : option.examples_) json.raw(example);
      json.end_array();
    }
    json.end_object();
  }

  // An empty text or list is as good as absent, and might break the option's own rules.
  static void write_default(JsonWriter& json, const Option<T>& option, const T& defaults) {
    std::string text;
    JsonWriter value(text);
    option.write_default_(value, option.rules_, defaults);
    if (text != "\"\"" && text != "[]") json.raw_member("default", text);
  }

  std::deque<Option<T>> options_;
};

// A struct with options of its own, inside another.
template <class V>
requires requires(OptionSet<V>& set) {
  V::options(set);
}
struct OptionType<V> {
  static void schema(JsonWriter& json, const OptionRules&) { OptionSet<V>().write_schema(json); }
  static bool read(const Json& json, const OptionRules&, V& value) {
    return json.IsObject() && !OptionSet<V>().read(json, value);
  }
};

// The schema as JSON; made once, static.
template <class T>
const std::string& options_schema() {
  static const std::string schema = [] {
    std::string text;
    JsonWriter json(text);
    json.begin_object();
    OptionSet<T>().write_schema(json);
    json.end_object();
    return text;
  }();
  return schema;
}

// Reads the canonical JSON, which the core has checked already. Throws Error (TKM_E_CONFIG) where it does not
// fit all the same, as when a test calls `create` with JSON of its own. An empty text is an empty object.
template <class T>
T read_options(std::string_view canonical_json) {
  JsonDocument document;
  if (canonical_json.empty()) canonical_json = "{}";
  if (!parse_json(canonical_json, document) || !document.IsObject()) {
    throw config_error("the options are no JSON object");
  }
  T options{};
  const OptionSet<T> set;
  if (const Option<T>* bad = set.read(document, options)) {
    const Json* value = find(document, bad->name());
    std::string found = value == nullptr ? "nothing" : "a secret";
    if (value != nullptr && !bad->is_secret()) JsonWriter(found = "").value(*value);
    throw config_error("option \"" + bad->name() + "\": missing, of the wrong type or out of range (found " +
                       found + ")");
  }
  return options;
}

}  // namespace tkm

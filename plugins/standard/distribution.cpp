#include "distribution.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace standard {
namespace {

constexpr double kMostTokens = 10'000'000;

[[noreturn]] void refuse(std::string_view name, const std::string& what) {
  throw tkm::config_error(std::string(name) + ": " + what);
}

// Each distribution takes exactly the parts that it uses: one that is ignored would be a lie.
void check_part(std::string_view name, const DistributionOptions& options, const char* part,
                const std::optional<double>& value, bool needed, bool allowed) {
  if (needed && !value) refuse(name, "distribution \"" + options.distribution + "\" needs \"" + part + "\"");
  if (!allowed && value)
    refuse(name, "distribution \"" + options.distribution + "\" has no \"" + part + "\"");
}

std::string shown(double number) {
  std::string text;
  tkm::JsonWriter(text).value(number);
  return text;
}

// The part of an option that may hold more than one type: "properties" of the object form.
template <class T>
void write_properties(tkm::JsonWriter& json) {
  std::string text;
  tkm::JsonWriter whole(text);
  whole.begin_object();
  tkm::OptionSet<T>().write_schema(whole);
  whole.end_object();
  tkm::JsonDocument document;
  tkm::parse_json(text, document);
  json.key("properties").value(*tkm::find(document, "properties"));
}

template <class T>
using Part = std::optional<double> T::*;

}  // namespace

void Length::options(tkm::OptionSet<Length>& o) {
  o.add("distribution", static_cast<std::string Length::*>(&Length::distribution))
      .one_of({"fixed", "uniform", "normal", "lognormal"})
      .help(
          "fixed: always the mean; uniform: min to max; normal, lognormal: mean and stddev, cut to min and "
          "max.");
  o.add("mean", static_cast<Part<Length>>(&Length::mean)).above(0).at_most(kMostTokens).help("Tokens.");
  o.add("stddev", static_cast<Part<Length>>(&Length::stddev))
      .at_least(0)
      .at_most(kMostTokens)
      .help("Tokens.");
  o.add("min", static_cast<Part<Length>>(&Length::min)).at_least(1).at_most(kMostTokens).help("Tokens.");
  o.add("max", static_cast<Part<Length>>(&Length::max)).at_least(1).at_most(kMostTokens).help("Tokens.");
}

void ThinkTime::options(tkm::OptionSet<ThinkTime>& o) {
  o.add("distribution", static_cast<std::string ThinkTime::*>(&ThinkTime::distribution))
      .one_of({"fixed", "uniform", "exponential", "normal", "lognormal"})
      .help(
          "fixed, exponential: mean; uniform: min to max; normal, lognormal: mean and stddev, cut to min and "
          "max.");
  o.add("mean", static_cast<Part<ThinkTime>>(&ThinkTime::mean)).duration().at_least(0).help("Mean time.");
  o.add("stddev", static_cast<Part<ThinkTime>>(&ThinkTime::stddev)).duration().at_least(0).help("Spread.");
  o.add("min", static_cast<Part<ThinkTime>>(&ThinkTime::min)).duration().at_least(0).help("Never shorter.");
  o.add("max", static_cast<Part<ThinkTime>>(&ThinkTime::max)).duration().at_least(0).help("Never longer.");
}

Distribution::Kind Distribution::kind_of(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, Kind>, 5> kKinds{{{"fixed", Kind::fixed},
                                                                     {"uniform", Kind::uniform},
                                                                     {"normal", Kind::normal},
                                                                     {"lognormal", Kind::lognormal},
                                                                     {"exponential", Kind::exponential}}};
  for (const auto& [name, kind] : kKinds) {
    if (name == word) return kind;
  }
  throw tkm::config_error("distribution \"" + std::string(word) + "\" is not known");
}

Distribution::Distribution(const DistributionOptions& options, std::string_view name, double lowest)
    : kind_(kind_of(options.distribution)),
      mean_(options.mean.value_or(0)),
      stddev_(options.stddev.value_or(0)),
      min_(std::max(options.min.value_or(lowest), lowest)),
      max_(options.max.value_or(std::numeric_limits<double>::infinity())) {
  const bool uniform = kind_ == Kind::uniform, spread = kind_ == Kind::normal || kind_ == Kind::lognormal;
  check_part(name, options, "mean", options.mean, !uniform, !uniform);
  check_part(name, options, "stddev", options.stddev, spread, spread);
  check_part(name, options, "min", options.min, uniform, kind_ != Kind::fixed);
  check_part(name, options, "max", options.max, uniform, kind_ != Kind::fixed);
  if (kind_ == Kind::lognormal && !(mean_ > 0))
    refuse(name, "a lognormal mean must be > 0 (got " + shown(mean_) + ")");
  if (min_ > max_) refuse(name, "min " + shown(min_) + " is above max " + shown(max_));
}

double Distribution::draw(tkm::Random& random) const {
  double value = mean_;
  switch (kind_) {
    case Kind::fixed:
      break;
    case Kind::uniform:
      value = random.uniform(min_, max_);
      break;
    case Kind::normal:
      value = random.normal(mean_, stddev_);
      break;
    case Kind::lognormal:
      value = random.lognormal(mean_, stddev_);
      break;
    case Kind::exponential:
      value = random.exponential(mean_);
      break;
  }
  return std::clamp(value, min_, max_);
}

int64_t Distribution::draw_whole(tkm::Random& random) const {
  const int64_t low = std::llround(min_), high = std::llround(std::min(max_, kMostTokens));
  if (kind_ == Kind::uniform) return random.integer(low, high);
  return std::clamp(std::llround(std::min(draw(random), kMostTokens)), static_cast<long long>(low),
                    static_cast<long long>(high));
}

}  // namespace standard

namespace tkm {

void OptionType<standard::Length>::schema(JsonWriter& json, const OptionRules&) {
  json.key("type").begin_array().value("integer").value("object").end_array();
  json.member("minimum", 1).member("maximum", static_cast<int64_t>(standard::kMostTokens));
  standard::write_properties<standard::Length>(json);
}

bool OptionType<standard::Length>::read(const Json& json, const OptionRules&, standard::Length& value) {
  if (json.IsObject()) return !OptionSet<standard::Length>().read(json, value);
  const auto tokens = int_of(json);
  if (!tokens || *tokens < 1 || static_cast<double>(*tokens) > standard::kMostTokens) return false;
  value.mean = static_cast<double>(*tokens);
  return true;
}

void OptionType<standard::ThinkTime>::schema(JsonWriter& json, const OptionRules&) {
  json.key("type").begin_array().value("string").value("object").end_array();
  json.member("format", "duration").member("minimum", 0);
  standard::write_properties<standard::ThinkTime>(json);
}

bool OptionType<standard::ThinkTime>::read(const Json& json, const OptionRules&, standard::ThinkTime& value) {
  value.mean.reset();
  if (json.IsObject()) return !OptionSet<standard::ThinkTime>().read(json, value);
  if (!json.IsNumber() || !(json.GetDouble() >= 0)) return false;
  value.mean = json.GetDouble();
  return true;
}

void OptionType<standard::ThinkTime>::write(JsonWriter& json, const OptionRules&,
                                            const standard::ThinkTime&) {
  json.value("0s");
}

}  // namespace tkm

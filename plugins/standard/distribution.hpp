// A quantity of the run file that is a plain number or a distribution: lengths in tokens, think times.
//
//   input_tokens: 128
//   input_tokens: {distribution: lognormal, mean: 512, stddev: 300, max: 4096}
//
// DistributionOptions is what was written, Distribution draws from it. Draws are the same for the same seed
// everywhere.
#pragma once

#include <tokometer/options.hpp>
#include <tokometer/random.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace standard {

// All in one unit: tokens, or seconds. A plain number is {distribution: fixed, mean: number}.
struct DistributionOptions {
  std::string distribution = "fixed";
  std::optional<double> mean, stddev, min, max;
};

// Number of tokens, from 1. In the run file: a whole number or an object.
struct Length : DistributionOptions {
  static void options(tkm::OptionSet<Length>& o);
};

// A time from 0, in seconds here. In the run file: "2s" or an object.
struct ThinkTime : DistributionOptions {
  ThinkTime() { mean = 0; }
  static void options(tkm::OptionSet<ThinkTime>& o);
};

class Distribution {
 public:
  // `name` is the option's, for the sentence of the Error (TKM_E_CONFIG) that is thrown where the parts do
  // not fit together. Draws are cut to `lowest` and to the options' min and max.
  Distribution(const DistributionOptions& options, std::string_view name, double lowest);

  double draw(tkm::Random& random) const;
  // Rounded; `uniform` gives each whole number from min to max alike.
  int64_t draw_whole(tkm::Random& random) const;

 private:
  enum class Kind { fixed, uniform, normal, lognormal, exponential };
  static Kind kind_of(std::string_view word);

  Kind kind_;
  double mean_, stddev_, min_, max_;
};

}  // namespace standard

// How the two are written in a schema and read back.
template <>
struct tkm::OptionType<standard::Length> {
  static void schema(JsonWriter& json, const OptionRules& rules);
  static bool read(const Json& json, const OptionRules& rules, standard::Length& value);
};
template <>
struct tkm::OptionType<standard::ThinkTime> {
  static void schema(JsonWriter& json, const OptionRules& rules);
  static bool read(const Json& json, const OptionRules& rules, standard::ThinkTime& value);
  static void write(JsonWriter& json, const OptionRules& rules, const standard::ThinkTime& value);
};

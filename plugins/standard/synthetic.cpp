// Prompts of a given length, made from a seed, endless.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "components.hpp"
#include "distribution.hpp"
#include "prompt_maker.hpp"

namespace standard {
namespace {

struct SyntheticOptions : PromptForm {
  Length input_tokens;
  std::optional<Length> output_tokens;
  double range_ratio = 0;
  int64_t prefix_tokens = 0;

  static void options(tkm::OptionSet<SyntheticOptions>& o) {
    o.add("input_tokens", &SyntheticOptions::input_tokens)
        .help("Length of each prompt (without prefix_tokens): a number or a distribution.")
        .required()
        .example("128")
        .example(R"({"distribution":"lognormal","mean":512,"stddev":300,"max":4096})");
    o.add("output_tokens", &SyntheticOptions::output_tokens)
        .help("Length asked of each answer: a number or a distribution.")
        .example("32")
        .example(R"({"distribution":"uniform","min":16,"max":256})");
    o.add("range_ratio", &SyntheticOptions::range_ratio)
        .help("Spreads plain numbers evenly: from (1 - r) to (1 + r) times the length.")
        .at_least(0)
        .at_most(1);
    o.add("prefix_tokens", &SyntheticOptions::prefix_tokens)
        .help("Tokens in front of each prompt that are the same for all.")
        .at_least(0)
        .at_most(10'000'000);
    PromptForm::add_to(o);
  }
};

// A plain number with `ratio` becomes a uniform distribution around it.
DistributionOptions spread(const DistributionOptions& length, double ratio, std::string_view name) {
  if (ratio == 0) return length;
  if (length.distribution != "fixed") {
    throw tkm::config_error("range_ratio: " + std::string(name) +
                            " is a distribution already; give one of the two");
  }
  const double mean = length.mean.value_or(1);
  return {.distribution = "uniform",
          .mean = std::nullopt,
          .stddev = std::nullopt,
          .min = std::max(1.0, std::round(mean * (1 - ratio))),
          .max = std::max(1.0, std::round(mean * (1 + ratio)))};
}

std::optional<Distribution> output_lengths(const SyntheticOptions& options) {
  if (!options.output_tokens) return std::nullopt;
  return Distribution(spread(*options.output_tokens, options.range_ratio, "output_tokens"), "output_tokens",
                      1);
}

class Synthetic {
 public:
  static constexpr auto kId = "synthetic", kSummary = "prompts of a given length, made from common words";
  static constexpr std::array kCapabilities{"endless", "made-text", "shared-prefix"};
  using Options = SyntheticOptions;

  Synthetic(const Options& options, const tkm_create_args& args)
      : maker_(options, args, kId),
        input_(spread(options.input_tokens, options.range_ratio, "input_tokens"), "input_tokens", 1),
        output_(output_lengths(options)),
        prefix_tokens_(options.prefix_tokens),
        prefix_(args.seed, "prefix"),
        lengths_(args.seed, "lengths"),
        content_(args.seed, "content") {}

  int64_t size() const { return -1; }

  bool next(tkm::SampleOut& out) {
    const int64_t input = input_.draw_whole(lengths_);
    const int64_t output = output_ ? output_->draw_whole(lengths_) : -1;
    tkm::Random prefix = prefix_;  // from its start each time: the same for all
    maker_.begin(prefix_tokens_ + input);
    maker_.append(prefix_tokens_, prefix);
    maker_.append(input, content_);
    maker_.say(output, out);
    return true;
  }

 private:
  PromptMaker maker_;
  Distribution input_;
  std::optional<Distribution> output_;
  int64_t prefix_tokens_;
  const tkm::Random prefix_;
  tkm::Random lengths_, content_;
};

}  // namespace

const tkm_component* synthetic_dataset() {
  return tkm::dataset<Synthetic>();
}

}  // namespace standard

// Prompts of a given length, made from a seed. Text is built from words that are one token each; where the
// core has learned from the server's own counts how many tokens a word and the chat template really are, the
// number of words follows that.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "components.hpp"
#include "distribution.hpp"
#include "words.hpp"

namespace standard {
namespace {

constexpr int64_t kFirstPlainId = 256;  // below stand the bytes and special tokens of many vocabularies

struct SyntheticOptions {
  Length input_tokens;
  std::optional<Length> output_tokens;
  double range_ratio = 0;
  int64_t prefix_tokens = 0;
  std::string form = "text";
  std::optional<int64_t> vocab_size;

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
    o.add("form", &SyntheticOptions::form).one_of({"text", "token_ids"}).help("What the server is sent.");
    o.add("vocab_size", &SyntheticOptions::vocab_size)
        .help(
            "With token_ids: ids are drawn below this number; a server may die of an id that it does not "
            "know.")
        .at_least(2 * kFirstPlainId)
        .at_most(2'147'483'647)
        .example("128000");
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

// How many words have how many tokens, as the server counts. Without a calibration: one each, and no
// template.
struct Scale {
  double tokens_per_word = 1;
  int64_t overhead_tokens = 0;

  explicit Scale(const tkm_calibration* seen) {
    if (seen == nullptr || !(seen->tokens_per_word > 0) || !std::isfinite(seen->tokens_per_word)) return;
    tokens_per_word = seen->tokens_per_word;
    overhead_tokens = std::max<int64_t>(seen->overhead_tokens, 0);
  }
  int64_t words(int64_t tokens) const { return std::llround(static_cast<double>(tokens) / tokens_per_word); }
};

class Synthetic {
 public:
  static constexpr auto kId = "synthetic", kSummary = "prompts of a given length, made from common words";
  static constexpr std::array kCapabilities{"endless", "shared-prefix"};
  using Options = SyntheticOptions;

  Synthetic(const Options& options, const tkm_create_args& args)
      : host_(args),
        scale_(host_.extension<tkm_calibration>("tkm.calibration/1")),
        input_(spread(options.input_tokens, options.range_ratio, "input_tokens"), "input_tokens", 1),
        output_(output_lengths(options)),
        prefix_tokens_(options.prefix_tokens),
        last_id_(checked_last_id(options)),
        lengths_(args.seed, "lengths"),
        content_(args.seed, "content") {
    tkm::Random shared(args.seed, "prefix");
    if (last_id_ > 0) {
      append_ids(prefix_tokens_, shared, prefix_ids_);
    } else {
      append_words(scale_.words(prefix_tokens_), shared, prefix_);
    }
  }

  int64_t size() const { return -1; }

  bool next(tkm::SampleOut& out) {
    const int64_t input = input_.draw_whole(lengths_);
    const int64_t output = output_ ? output_->draw_whole(lengths_) : -1;
    if (last_id_ > 0) {
      say_ids(input, out);
    } else {
      say_text(input, out);
    }
    out.lengths(prefix_tokens_ + input, output, TKM_OUTPUT_EXACT);
    return true;
  }

 private:
  // 0 for text.
  static int64_t checked_last_id(const Options& options) {
    const bool ids = options.form == "token_ids";
    if (ids && !options.vocab_size) {
      throw tkm::config_error("form: token_ids needs vocab_size, the number of tokens that the model knows");
    }
    if (!ids && options.vocab_size) throw tkm::config_error("vocab_size: only used with form: token_ids");
    return ids ? *options.vocab_size - 1 : 0;
  }

  void append_ids(int64_t count, tkm::Random& random, std::vector<int32_t>& ids) const {
    for (; count > 0; --count) ids.push_back(static_cast<int32_t>(random.integer(kFirstPlainId, last_id_)));
  }

  static void append_words(int64_t count, tkm::Random& random, std::string& text) {
    const WordList& list = word_list();
    for (; count > 0; --count) {
      const auto& choice = text.empty() ? list.first : list.all;
      if (!text.empty()) text.push_back(' ');
      text.append(choice[random.below(choice.size())]);
    }
  }

  void say_ids(int64_t tokens, tkm::SampleOut& out) {
    ids_ = prefix_ids_;
    append_ids(tokens, content_, ids_);
    out.tokens(ids_);
  }

  void say_text(int64_t tokens, tkm::SampleOut& out) {
    const int64_t whole = prefix_tokens_ + tokens - scale_.overhead_tokens;
    if (whole < 1) warn_of_overhead(prefix_tokens_ + tokens);
    text_ = prefix_;
    append_words(std::max<int64_t>(scale_.words(whole) - scale_.words(prefix_tokens_), 1), content_, text_);
    out.text(text_);
  }

  void warn_of_overhead(int64_t tokens) {
    if (warned_) return;
    warned_ = true;
    host_.log(TKM_LOG_WARN, "synthetic: a prompt of " + std::to_string(tokens) +
                                " tokens was asked for, but the server's " + "chat template alone has " +
                                std::to_string(scale_.overhead_tokens) + "; such prompts are one word long");
  }

  tkm::Host host_;
  Scale scale_;
  Distribution input_;
  std::optional<Distribution> output_;
  int64_t prefix_tokens_;
  int64_t last_id_;
  tkm::Random lengths_, content_;
  std::string prefix_, text_;
  std::vector<int32_t> prefix_ids_, ids_;
  bool warned_ = false;
};

}  // namespace

const tkm_component* synthetic_dataset() {
  return tkm::dataset<Synthetic>();
}

}  // namespace standard

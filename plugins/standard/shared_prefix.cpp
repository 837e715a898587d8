// Groups of prompts that begin with the same system prompt, made as synthetic ones are: what a prefix cache
// is for. Groups take turns, so that neighbours in time share nothing.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "components.hpp"
#include "distribution.hpp"
#include "prompt_maker.hpp"

namespace standard {
namespace {

struct SharedPrefixOptions : PromptForm {
  int64_t groups = 1, prompts_per_group = 1;
  Length system_tokens, question_tokens;
  std::optional<Length> output_tokens;

  static void options(tkm::OptionSet<SharedPrefixOptions>& o) {
    using Self = SharedPrefixOptions;
    o.add("groups", &Self::groups)
        .required()
        .at_least(1)
        .at_most(1'000'000)
        .help("System prompts.")
        .example("32");
    o.add("prompts_per_group", &Self::prompts_per_group)
        .required()
        .at_least(1)
        .at_most(1'000'000)
        .help("Questions behind each of them.")
        .example("32");
    o.add("system_tokens", &Self::system_tokens)
        .required()
        .help("Length of each system prompt: a number or a distribution.")
        .example("2048");
    o.add("question_tokens", &Self::question_tokens)
        .required()
        .help("Length of each question: a number or a distribution.")
        .example("128");
    o.add("output_tokens", &Self::output_tokens)
        .help("Length asked of each answer: a number or a distribution.")
        .example("128");
    PromptForm::add_to(o);
  }
};

class SharedPrefix {
 public:
  static constexpr auto kId = "shared_prefix",
                        kSummary = "groups of made prompts, each with a shared beginning";
  static constexpr std::array kCapabilities{"made-text", "shared-prefix"};
  using Options = SharedPrefixOptions;

  SharedPrefix(const Options& options, const tkm_create_args& args)
      : maker_(options, args, kId),
        question_(options.question_tokens, "question_tokens", 1),
        total_(options.groups * options.prompts_per_group),
        lengths_(args.seed, "lengths"),
        content_(args.seed, "content") {
    if (options.output_tokens) output_.emplace(*options.output_tokens, "output_tokens", 1);
    const Distribution system(options.system_tokens, "system_tokens", 1);
    tkm::Random lengths(args.seed, "system lengths");
    for (int64_t group = 0; group < options.groups; ++group) {
      groups_.push_back(
          {system.draw_whole(lengths), tkm::Random(args.seed, "group " + std::to_string(group))});
    }
  }

  int64_t size() const { return total_; }

  bool next(tkm::SampleOut& out) {
    if (given_ == total_) return false;
    const Group& group = groups_[static_cast<size_t>(given_++) % groups_.size()];
    const int64_t question = question_.draw_whole(lengths_);
    const int64_t output = output_ ? output_->draw_whole(lengths_) : -1;
    tkm::Random system = group.content;  // from its start each time
    maker_.begin(group.tokens + question);
    maker_.append(group.tokens, system);
    maker_.append(question, content_);
    maker_.say(output, out);
    return true;
  }

 private:
  struct Group {
    int64_t tokens;
    tkm::Random content;
  };

  PromptMaker maker_;
  Distribution question_;
  std::optional<Distribution> output_;
  std::vector<Group> groups_;
  int64_t total_, given_ = 0;
  tkm::Random lengths_, content_;
};

}  // namespace

const tkm_component* shared_prefix_dataset() {
  return tkm::dataset<SharedPrefix>();
}

}  // namespace standard

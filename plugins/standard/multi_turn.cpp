// Conversations of several turns, made from a seed, endless. Groups of them may begin with a shared system
// prompt.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "components.hpp"
#include "distribution.hpp"
#include "prompt_maker.hpp"
#include "session_turns.hpp"

namespace standard {
namespace {

struct MultiTurnOptions : TurnOptions {
  Length turns, input_tokens;
  std::optional<Length> output_tokens;
  int64_t groups = 1, system_tokens = 0;

  static void options(tkm::OptionSet<MultiTurnOptions>& o) {
    using Self = MultiTurnOptions;
    o.add("turns", &Self::turns)
        .required()
        .help("Turns of each session: a number or a distribution.")
        .example("4");
    o.add("input_tokens", &Self::input_tokens)
        .required()
        .help("Length of what each turn adds: a number or a distribution.")
        .example("128");
    o.add("output_tokens", &Self::output_tokens)
        .help("Length asked of each answer: a number or a distribution. Needed for history: scripted.")
        .example("32");
    o.add("system_tokens", &Self::system_tokens)
        .at_least(0)
        .at_most(10'000'000)
        .help("Tokens in front of the first turn that all sessions of a group have in common.");
    o.add("groups", &Self::groups).at_least(1).at_most(1'000'000).help("Different ones of these.");
    TurnOptions::add_to(o);
  }
};

class MultiTurn {
 public:
  static constexpr auto kId = "multi_turn", kSummary = "made conversations of several turns";
  static constexpr std::array kCapabilities{"endless", "made-text", "sessions", "shared-prefix"};
  using Options = MultiTurnOptions;

  MultiTurn(const Options& options, const tkm_create_args& args)
      : maker_({}, args, kId),
        turns_(options, args),
        count_(options.turns, "turns", 1),
        input_(options.input_tokens, "input_tokens", 1),
        groups_(options.groups),
        system_tokens_(options.system_tokens),
        seed_(args.seed),
        lengths_(args.seed, "lengths"),
        content_(args.seed, "content"),
        answers_(args.seed, "answers") {
    if (options.output_tokens) output_.emplace(*options.output_tokens, "output_tokens", 1);
    if (turns_.scripted() && !output_)
      throw tkm::config_error(
          "history: scripted needs output_tokens, the length of the answers in the script");
  }

  int64_t size() const { return -1; }

  bool next(tkm::SampleOut& out) {
    if (!turns_.goes_on()) begin_session();
    const int64_t input = input_.draw_whole(lengths_);
    const int64_t output = output_ ? output_->draw_whole(lengths_) : -1;
    if (turns_.scripted()) out.answer(maker_.answer(output, answers_));
    const int64_t system = turns_.turn() == 0 ? system_tokens_ : 0;
    tkm::Random shared(seed_, "group " + std::to_string(session_ % groups_));
    maker_.begin(system + input);
    maker_.append(system, shared);
    maker_.append(input, content_);
    turns_.say(out);
    maker_.say(output, out);
    return true;
  }

 private:
  void begin_session() {
    ++session_;
    turns_.begin(static_cast<uint32_t>(count_.draw_whole(lengths_)));
  }

  PromptMaker maker_;
  Turns turns_;
  Distribution count_, input_;
  std::optional<Distribution> output_;
  int64_t groups_, system_tokens_, session_ = -1;
  uint64_t seed_;
  tkm::Random lengths_, content_, answers_;
};

}  // namespace

const tkm_component* multi_turn_dataset() {
  return tkm::dataset<MultiTurn>();
}

}  // namespace standard

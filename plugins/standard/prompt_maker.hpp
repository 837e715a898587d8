// Makes prompts of given lengths from random words that are one token each, or from random token ids: for
// `synthetic`, `shared_prefix` and the traces. Where the core has learned from the server's own counts how
// many tokens a word and the chat template really are, the number of words follows that.
//
//   maker.begin(prefix + tokens);  maker.append(prefix, shared);  maker.append(tokens, own);  maker.say(out);
//
// A part that is made again at the same place from a Random in the same state has the same words. One thread.
#pragma once

#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace standard {

// What the server is sent.
struct PromptForm {
  std::string form = "text";
  std::optional<int64_t> vocab_size;

  // Adds the two to the options of a dataset that is derived from this.
  template <class T>
  static void add_to(tkm::OptionSet<T>& o) {
    o.add("form", static_cast<std::string T::*>(&PromptForm::form))
        .one_of({"text", "token_ids"})
        .help("What the server is sent.");
    o.add("vocab_size", static_cast<std::optional<int64_t> T::*>(&PromptForm::vocab_size))
        .help(
            "With token_ids: ids are drawn below this number; a server may die of an id that it does not "
            "know.")
        .at_least(512)
        .at_most(2'147'483'647)
        .example("128000");
  }
};

class PromptMaker {
 public:
  // Throws TKM_E_CONFIG where form and vocab_size do not fit together.
  PromptMaker(const PromptForm& form, const tkm_create_args& args, std::string_view dataset);

  // A prompt of so many tokens in all, as the server counts them, the chat template included.
  void begin(int64_t tokens);
  // The next `tokens` of them; what goes beyond the whole is left out.
  void append(int64_t tokens, tkm::Random& random);
  // An answer of so many tokens for a script, in place of a prompt; valid until the next call.
  std::string_view answer(int64_t tokens, tkm::Random& random);
  // Says it, with its length and the length asked of the answer (-1: none).
  void say(int64_t output_tokens, tkm::SampleOut& out);

 private:
  int64_t words(int64_t tokens) const;
  void append_words(int64_t count, tkm::Random& random);
  void warn_of_overhead();

  tkm::Host host_;
  std::string dataset_;
  int64_t last_id_;  // 0 for text
  double tokens_per_word_ = 1;
  int64_t overhead_tokens_ = 0;
  int64_t whole_tokens_ = 0, made_tokens_ = 0;
  int64_t whole_words_ = 0, made_words_ = 0;
  std::string text_;
  std::vector<int32_t> ids_;
  bool warned_ = false;
};

}  // namespace standard

#include "prompt_maker.hpp"

#include <algorithm>
#include <cmath>

#include "words.hpp"

namespace standard {
namespace {

constexpr int64_t kFirstPlainId = 256;  // below stand the bytes and special tokens of many vocabularies

int64_t checked_last_id(const PromptForm& form) {
  const bool ids = form.form == "token_ids";
  if (ids && !form.vocab_size) {
    throw tkm::config_error("form: token_ids needs vocab_size, the number of tokens that the model knows");
  }
  if (!ids && form.vocab_size) throw tkm::config_error("vocab_size: only used with form: token_ids");
  return ids ? *form.vocab_size - 1 : 0;
}

}  // namespace

PromptMaker::PromptMaker(const PromptForm& form, const tkm_create_args& args, std::string_view dataset)
    : host_(args), dataset_(dataset), last_id_(checked_last_id(form)) {
  const auto* seen = host_.extension<tkm_calibration>("tkm.calibration/1");
  if (seen == nullptr || !(seen->tokens_per_word > 0) || !std::isfinite(seen->tokens_per_word)) return;
  tokens_per_word_ = seen->tokens_per_word;
  overhead_tokens_ = std::max<int64_t>(seen->overhead_tokens, 0);
}

int64_t PromptMaker::words(int64_t tokens) const {
  return std::llround(static_cast<double>(tokens) / tokens_per_word_);
}

void PromptMaker::begin(int64_t tokens) {
  text_.clear();
  ids_.clear();
  whole_tokens_ = tokens;
  made_tokens_ = made_words_ = 0;
  if (last_id_ == 0 && tokens - overhead_tokens_ < 1) warn_of_overhead();
  whole_words_ = std::max<int64_t>(words(tokens - overhead_tokens_), 1);
}

// Word counts follow from the place in the prompt, so that rounding never adds up and a shared part has the
// same words in every prompt.
void PromptMaker::append(int64_t tokens, tkm::Random& random) {
  const int64_t until = std::min(made_tokens_ + tokens, whole_tokens_);
  if (last_id_ > 0) {
    for (; made_tokens_ < until; ++made_tokens_)
      ids_.push_back(static_cast<int32_t>(random.integer(kFirstPlainId, last_id_)));
    return;
  }
  made_tokens_ = until;
  // All but the last part leave room for a word: no two prompts are the same for a long chat template.
  const int64_t until_words =
      until == whole_tokens_ ? whole_words_ : std::min(words(until), whole_words_ - 1);
  append_words(until_words - made_words_, random);
  made_words_ = std::max(made_words_, until_words);
}

void PromptMaker::append_words(int64_t count, tkm::Random& random) {
  const WordList& list = word_list();
  for (; count > 0; --count) {
    const auto& choice = text_.empty() ? list.first : list.all;
    if (!text_.empty()) text_.push_back(' ');
    text_.append(choice[random.below(choice.size())]);
  }
}

std::string_view PromptMaker::answer(int64_t tokens, tkm::Random& random) {
  text_.clear();
  append_words(std::max<int64_t>(words(tokens), 1), random);
  return text_;
}

void PromptMaker::say(int64_t output_tokens, tkm::SampleOut& out) {
  if (last_id_ > 0) {
    out.tokens(ids_);
  } else {
    out.text(text_);
  }
  out.lengths(whole_tokens_, output_tokens, TKM_OUTPUT_EXACT);
}

void PromptMaker::warn_of_overhead() {
  if (warned_) return;
  warned_ = true;
  host_.log(TKM_LOG_WARN, dataset_ + ": a prompt of " + std::to_string(whole_tokens_) +
                              " tokens was asked for, but the server's chat template alone has " +
                              std::to_string(overhead_tokens_) + "; such prompts are one word long");
}

}  // namespace standard

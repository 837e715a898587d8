#include "engine/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "engine/workload_parts.hpp"

namespace tokometer {
namespace {

constexpr size_t kFewestWords = 8;     // the second request has at least this many fewer words
constexpr int64_t kFewestTokens = 16;  // a shorter prompt says nothing about bytes per token

std::string_view made_text(const Sample& sample) {
  const tkm_str text = sample.messages().empty() ? sample.text() : sample.messages()[0].parts[0].data;
  return {text.data, text.size};
}

int64_t count_text_bytes(const Sample& sample) {
  size_t bytes = sample.text().size;
  for (const tkm_message& message : sample.messages()) {
    for (size_t at = 0; at < message.part_count; ++at) {
      if (message.parts[at].kind == TKM_PART_TEXT) bytes += message.parts[at].data.size;
    }
  }
  return static_cast<int64_t>(bytes);
}

size_t count_words(const Sample& sample) {
  size_t words = 0;
  bool inside = false;
  for (const char letter : made_text(sample)) {
    const bool blank = letter == ' ' || letter == '\n' || letter == '\t';
    if (!blank && !inside) ++words;
    inside = !blank;
  }
  return words;
}

class Calibration {
 public:
  Calibration(const WorkloadPlan& plan, const std::string& salt, FirstRequests& requests, Preflight& found)
      : plan_(plan), salt_(salt), requests_(requests), found_(found) {}

  Result<void> of_words();
  Result<void> of_bytes();

 private:
  Result<std::shared_ptr<const Sample>> sample(const FirstSample& which) const {
    return first_sample(plan_, found_.profile, which);
  }
  Result<int64_t> send(const Sample& sample) { return requests_.send(sample, found_.servers.front()); }
  void compare_tokenizer(const Result<int64_t>& whole, const Result<int64_t>& half, int64_t server_tokens);

  const WorkloadPlan& plan_;
  const std::string& salt_;
  FirstRequests& requests_;
  Preflight& found_;
};

// By how many tokens two texts differ: with another model's tokenizer, lengths would only seem to be exact.
void Calibration::compare_tokenizer(const Result<int64_t>& whole, const Result<int64_t>& half,
                                    int64_t server_tokens) {
  constexpr int64_t kNear = 2;
  if (!whole || !half) return;
  const int64_t own_tokens = *whole - *half;
  if (std::abs(own_tokens - server_tokens) <= std::max(kNear, server_tokens / 100)) return;
  found_.warnings.push_back("model.tokenizer is not the server's: it counts " + std::to_string(own_tokens) +
                            " tokens where the server counts " + std::to_string(server_tokens) +
                            "; prompts do not have the lengths asked");
}

Result<void> Calibration::of_words() {
  // As long as the run's own nonce, and another: the run's first prompt must not find a warm cache.
  const std::string nonce(salt_.rbegin(), salt_.rend());
  auto whole = sample({.salt = nonce, .word_limit = 0, .input_tokens = {}});
  if (!whole) return whole.errors();
  const size_t nonce_words = sample_rules(plan_, found_.profile, nonce).nonce.empty() ? 0 : 1;
  const size_t words = count_words(**whole) - nonce_words;
  if (words <= kFewestWords) return {};
  auto half = sample({.salt = nonce, .word_limit = words / 2, .input_tokens = {}});
  if (!half) return half.errors();
  const auto tokens = send(**whole);
  if (!tokens) return tokens.errors();
  const auto fewer = send(**half);
  if (!fewer) return fewer.errors();
  const auto less_words = static_cast<double>(words + nonce_words - count_words(**half));
  if (*tokens < 0 || *fewer < 0 || *tokens <= *fewer || less_words <= 0) return {};
  const double per_word = static_cast<double>(*tokens - *fewer) / less_words;
  if (plan_.tokenizer != nullptr) {
    compare_tokenizer(plan_.tokenizer->count(made_text(**whole)), plan_.tokenizer->count(made_text(**half)),
                      *tokens - *fewer);
  }
  // With a tokenizer the text's own tokens are known.
  const double own = plan_.tokenizer != nullptr ? static_cast<double>((*whole)->prompt_tokens)
                                                : per_word * static_cast<double>(words);
  found_.calibration = tkm_calibration{.struct_size = sizeof(tkm_calibration),
                                       .reserved = 0,
                                       .tokens_per_word = per_word,
                                       .overhead_tokens = std::llround(static_cast<double>(*tokens) - own)};
  return {};
}

// The first prompt of the data at the wanted length and at half of it. What cannot be learned from them stays
// an estimate.
Result<void> Calibration::of_bytes() {
  const RunFile::TokenLength& wanted = *plan_.file.rows.input_tokens;
  const bool uniform = wanted.kind == RunFile::TokenLength::Kind::uniform;
  const int64_t length =
      uniform ? (wanted.min + wanted.max) / 2 : static_cast<int64_t>(std::llround(wanted.mean));
  auto whole = sample({.salt = salt_, .word_limit = 0, .input_tokens = length});
  auto half = sample({.salt = salt_, .word_limit = 0, .input_tokens = length / 2});
  if (length < kFewestTokens || !whole || !half || (*whole)->form == TKM_FORM_TOKENS) return {};
  const auto tokens = send(**whole);
  if (!tokens) return tokens.errors();
  const auto fewer = send(**half);
  if (!fewer) return fewer.errors();
  const auto scale =
      scale_of(count_text_bytes(**whole), *tokens, count_text_bytes(**half), std::max<int64_t>(*fewer, 0));
  if (*tokens < 0 || *fewer < 0 || !scale) return {};
  found_.fit_scale = *scale;
  if (plan_.tokenizer == nullptr) return {};
  found_.fit_scale.overhead_tokens = std::max<int64_t>(*tokens - (*whole)->prompt_tokens, 0);
  compare_tokenizer((*whole)->prompt_tokens, (*half)->prompt_tokens, *tokens - *fewer);
  return {};
}

}  // namespace

Result<void> calibrate(const WorkloadPlan& plan, const std::string& salt, const Sample& first,
                       FirstRequests& requests, Preflight& found) {
  Calibration calibration(plan, salt, requests, found);
  if (plan.file.rows.input_tokens) return calibration.of_bytes();
  const bool made_text = plan.dataset->has_capability("made-text") && first.form != TKM_FORM_TOKENS;
  return made_text ? calibration.of_words() : Result<void>();
}

}  // namespace tokometer

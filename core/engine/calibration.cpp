#include "engine/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "engine/server_tokens.hpp"
#include "engine/text_survey.hpp"
#include "engine/workload_parts.hpp"

namespace tokometer {
namespace {

constexpr size_t kFewestWords = 8;     // the second request has at least this many fewer words
constexpr int64_t kFewestTokens = 16;  // a shorter prompt says nothing about bytes per token
constexpr size_t kStretchBytes = 16384, kMostRows = 64, kFewestRows = 8;  // of text that the server counts

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

class Calibration {
 public:
  Calibration(const WorkloadPlan& plan, const std::string& salt, FirstRequests& requests, Preflight& found)
      : plan_(plan), salt_(salt), requests_(requests), found_(found), server_(plan.file, found) {}

  // `first`: the first sample of the data, which the server has answered.
  Result<void> of_words(const Sample& first);
  Result<void> of_bytes(const Sample& first);

 private:
  Result<std::shared_ptr<const Sample>> sample(const FirstSample& which) const {
    return first_sample(plan_, found_.profile, which);
  }
  Result<int64_t> send(const Sample& sample) { return requests_.send(sample, found_.servers.front()); }
  bool server_counts() const { return plan_.tokenizer == nullptr && found_.profile.tokenize.has_value(); }
  Result<TextSurvey> survey_of(const FirstSample& which, size_t bytes_of_one) const;
  Result<int64_t> template_tokens(const Sample& first, int64_t around) const;
  Result<int64_t> nonce_tokens() const;
  Result<void> words_by_route(const Sample& first);
  Result<void> bytes_by_route(const Sample& first, int64_t length);
  Result<void> words_by_requests();
  Result<void> bytes_by_requests(int64_t length);
  void compare_tokenizer(const Result<int64_t>& whole, const Result<int64_t>& half, int64_t server_tokens);

  const WorkloadPlan& plan_;
  const std::string& salt_;
  FirstRequests& requests_;
  Preflight& found_;
  const ServerTokens server_;
  std::string fault_;  // why the server's route was of no use; empty: it was not asked
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

// The rows of the data up to a stretch that is long enough. `bytes_of_one`: about.
Result<TextSurvey> Calibration::survey_of(const FirstSample& which, size_t bytes_of_one) const {
  const size_t rows = std::clamp(kStretchBytes / std::max<size_t>(bytes_of_one, 1), kFewestRows, kMostRows);
  auto samples = first_samples(plan_, found_.profile, which, rows);
  if (!samples) return samples.errors();
  return survey(server_, texts_of(*samples, kStretchBytes / kFewestRows));
}

// What the server counts beside the texts, by the first answer's usage; where it reports none, what it puts
// around any text.
Result<int64_t> Calibration::template_tokens(const Sample& first, int64_t around) const {
  if (requests_.first_prompt_tokens() < 0) return around;
  const auto tokens = server_.count(texts_of(first));
  if (!tokens) return tokens.errors();
  return std::max<int64_t>(requests_.first_prompt_tokens() - *tokens + around, 0);
}

// Of the word that the run's prompts begin with.
Result<int64_t> Calibration::nonce_tokens() const {
  const std::string nonce = sample_rules(plan_, found_.profile, salt_).nonce;
  if (nonce.empty()) return 0;
  const auto with = server_.count(nonce + " word"), without = server_.count("word");
  if (!with) return with.errors();
  if (!without) return without.errors();
  return *with - *without;
}

Result<void> Calibration::words_by_route(const Sample& first) {
  const auto seen = survey_of({.salt = {}, .word_limit = 0, .input_tokens = {}}, texts_of(first).size());
  if (!seen) return seen.errors();
  const auto besides = template_tokens(first, seen->around), nonce = nonce_tokens();
  if (!besides) return besides.errors();
  if (!nonce) return nonce.errors();
  found_.calibration = tkm_calibration{.struct_size = sizeof(tkm_calibration),
                                       .reserved = 0,
                                       .tokens_per_word = seen->per_word(),
                                       .overhead_tokens = *besides + *nonce};
  found_.lengths =
      "as the server counted " + std::to_string(seen->words) + " of them (" + server_.route() + ")";
  return {};
}

Result<void> Calibration::bytes_by_route(const Sample& first, int64_t length) {
  const auto bytes = static_cast<size_t>(static_cast<double>(length) * FitScale().bytes_per_token);
  const auto seen = survey_of({.salt = {}, .word_limit = 0, .input_tokens = length}, bytes);
  if (!seen) return seen.errors();
  const auto besides = template_tokens(first, seen->around);
  if (!besides) return besides.errors();
  found_.fit_scale = {.bytes_per_token = seen->bytes_per_token(),
                      .overhead_tokens = *besides,
                      .counted = "as the server counted " + std::to_string(seen->bytes) + " bytes of them (" +
                                 server_.route() + ")",
                      .around_tokens = seen->around};
  found_.server_counts = true;
  return {};
}

Result<void> Calibration::of_words(const Sample& first) {
  if (server_counts()) {
    const auto counted = words_by_route(first);
    if (!counted) fault_ = " (" + counted.error().message + ")";
  }
  if (!found_.calibration) {
    if (auto counted = words_by_requests(); !counted) return counted;
  }
  if (plan_.tokenizer != nullptr) {
    found_.lengths = "prompts are made to length by model.tokenizer";
    return {};
  }
  char scale[64];
  const double per_word = found_.calibration ? found_.calibration->tokens_per_word : 1;
  std::snprintf(scale, sizeof scale, "prompts are made to length at %.2f tokens a word, ", per_word);
  if (!found_.calibration) found_.lengths = "an estimate";
  found_.lengths = scale + found_.lengths + fault_;
  return {};
}

Result<void> Calibration::of_bytes(const Sample& first) {
  const RunFile::TokenLength& wanted = *plan_.file.rows.input_tokens;
  const bool uniform = wanted.kind == RunFile::TokenLength::Kind::uniform;
  const int64_t length =
      uniform ? (wanted.min + wanted.max) / 2 : static_cast<int64_t>(std::llround(wanted.mean));
  if (length < kFewestTokens || first.form == TKM_FORM_TOKENS) return {};
  if (server_counts()) {
    const auto counted = bytes_by_route(first, length);
    if (counted) return {};
    fault_ = " (" + counted.error().message + ")";
  }
  const auto counted = bytes_by_requests(length);
  if (!found_.fit_scale.counted.empty()) found_.fit_scale.counted += fault_;
  return counted;
}

Result<void> Calibration::words_by_requests() {
  // As long as the run's own nonce, and another: the run's first prompt must not find a warm cache.
  const std::string nonce(salt_.rbegin(), salt_.rend());
  auto whole = sample({.salt = nonce, .word_limit = 0, .input_tokens = {}});
  if (!whole) return whole.errors();
  const size_t nonce_words = sample_rules(plan_, found_.profile, nonce).nonce.empty() ? 0 : 1;
  const size_t words = count_words(made_text(**whole)) - nonce_words;
  if (words <= kFewestWords) return {};
  auto half = sample({.salt = nonce, .word_limit = words / 2, .input_tokens = {}});
  if (!half) return half.errors();
  const auto tokens = send(**whole);
  if (!tokens) return tokens.errors();
  const auto fewer = send(**half);
  if (!fewer) return fewer.errors();
  const auto less_words = static_cast<double>(words + nonce_words - count_words(made_text(**half)));
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
  found_.lengths = "as the server counted two of them";
  return {};
}

// The first prompt of the data at the wanted length and at half of it. What cannot be learned from them stays
// an estimate.
Result<void> Calibration::bytes_by_requests(int64_t length) {
  auto whole = sample({.salt = salt_, .word_limit = 0, .input_tokens = length});
  auto half = sample({.salt = salt_, .word_limit = 0, .input_tokens = length / 2});
  if (!whole || !half) return {};
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
  if (plan.file.rows.input_tokens) return calibration.of_bytes(first);
  const bool made_text = plan.dataset->has_capability("made-text") && first.form != TKM_FORM_TOKENS;
  return made_text ? calibration.of_words(first) : Result<void>();
}

}  // namespace tokometer

#include "engine/prompt_fit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace tokometer {
namespace {

constexpr size_t kLikelyBytesPerToken = 6;
constexpr uint64_t kMostAsked = 2000;        // prompts that the server counts: some seconds before the load
constexpr int64_t kNearShare = 200;          // a length is right within a 200th
constexpr size_t kMostBytesPerToken = 1024;  // a text of fewer tokens than that is blank for its tokenizer

// Not inside of a character of several bytes.
size_t boundary(std::string_view text, size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
  return std::min(at, text.size());
}

// The text as often as it takes to be this long, cut there.
std::string repeated(const std::string& text, size_t bytes) {
  std::string out;
  out.reserve(bytes + text.size() + 1);
  while (out.size() < bytes) {
    if (!out.empty()) out += ' ';
    out += text;
  }
  out.resize(boundary(out, bytes));
  return out;
}

}  // namespace

std::optional<FitScale> scale_of(int64_t bytes, int64_t tokens, int64_t fewer_bytes, int64_t fewer_tokens) {
  if (tokens <= fewer_tokens || bytes <= fewer_bytes) return std::nullopt;
  const double bytes_per_token =
      static_cast<double>(bytes - fewer_bytes) / static_cast<double>(tokens - fewer_tokens);
  const double own_tokens = static_cast<double>(bytes) / bytes_per_token;
  return FitScale{.bytes_per_token = bytes_per_token,
                  .overhead_tokens = std::llround(static_cast<double>(tokens) - own_tokens),
                  .counted = "as the server counted two of them"};
}

PromptFit::PromptFit(const RunFile::Rows& rows, uint64_t seed, RunTokenizer* tokenizer, const FitScale& scale,
                     TextCounter counter)
    : input_(rows.input_tokens),
      output_(rows.output_tokens),
      input_random_(seed, "rows.input_tokens"),
      output_random_(seed, "rows.output_tokens"),
      tokenizer_(tokenizer),
      scale_(scale),
      counter_(tokenizer == nullptr ? std::move(counter) : TextCounter()) {}

std::optional<int64_t> PromptFit::draw(const Length& length, tkm::Random& random) {
  using Kind = RunFile::TokenLength::Kind;
  if (!length) return std::nullopt;
  if (length->kind == Kind::uniform) return random.integer(length->min, length->max);
  double tokens = length->mean;
  if (length->kind == Kind::normal) tokens = random.normal(length->mean, length->stddev);
  if (length->kind == Kind::lognormal) tokens = random.lognormal(length->mean, length->stddev);
  return std::llround(std::clamp(tokens, static_cast<double>(length->min), static_cast<double>(length->max)));
}

Result<int64_t> PromptFit::count(std::string_view text) const {
  if (tokenizer_ != nullptr) return tokenizer_->count(text);
  return std::llround(static_cast<double>(text.size()) / scale_.bytes_per_token);
}

Result<int64_t> PromptFit::fit(std::string& text, int64_t tokens) {
  auto fitted = tokenizer_ != nullptr ? by_tokenizer(text, tokens)
                : counter_            ? by_server(text, tokens)
                                      : by_bytes(text, tokens);
  if (!fitted) return fitted.errors();
  note(text.size(), fitted->size());
  text = std::move(*fitted);
  return count(text);
}

void PromptFit::fit(std::vector<int32_t>& ids, int64_t tokens) {
  const size_t own = ids.size(), wanted = static_cast<size_t>(tokens);
  note(own, wanted);
  ids.resize(wanted);
  for (size_t at = own; at < wanted; ++at) ids[at] = ids[at - own];
}

void PromptFit::note(size_t before, size_t after) {
  ++(after < before ? cut_ : after > before ? repeated_ : kept_);
}

std::string PromptFit::by_bytes(const std::string& whole, int64_t tokens) const {
  const double bytes = static_cast<double>(tokens) * scale_.bytes_per_token;
  if (std::abs(bytes - static_cast<double>(whole.size())) < scale_.bytes_per_token / 2) return whole;
  std::string text = repeated(whole, static_cast<size_t>(std::max(1.0, std::round(bytes))));
  return text.empty() ? repeated(whole, kLikelyBytesPerToken) : text;  // a first character of several bytes
}

// A guess by the scale, then by what this very text has had: two or three questions.
std::string PromptFit::by_server(const std::string& whole, int64_t tokens) {
  constexpr int kRounds = 5;
  const int64_t near = tokens / kNearShare;
  if (++asked_ > kMostAsked) return stop_asking(), by_bytes(whole, tokens);
  std::string text = by_bytes(whole, tokens), best = text;
  int64_t best_apart = INT64_MAX;
  for (int round = 0; round < kRounds; ++round) {
    const auto found = counter_(text);
    if (!found) return counter_fault_ = found.error().message, stop_asking(), best;
    const int64_t own = std::max<int64_t>(*found - scale_.around_tokens, 1);
    const int64_t apart = std::abs(own - tokens);
    if (apart < best_apart) best = text, best_apart = apart;
    if (apart <= near) break;
    const double bytes =
        static_cast<double>(text.size()) * static_cast<double>(tokens) / static_cast<double>(own);
    text = repeated(whole, static_cast<size_t>(std::max(1.0, std::round(bytes))));
  }
  return best;
}

// The tokens of the parts of a text do not add up to its own, so the place to cut is sought: each try is
// counted.
Result<std::string> PromptFit::by_tokenizer(const std::string& whole, int64_t tokens) const {
  const auto wanted = static_cast<size_t>(tokens);
  std::string text;
  size_t low = 0, high = wanted * kLikelyBytesPerToken;  // so many bytes: too few tokens, too many
  int64_t low_tokens = 0, high_tokens = 0;
  for (;; low = text.size(), low_tokens = high_tokens, high *= 2) {
    text = repeated(whole, high);
    const auto found = tokenizer_->count(text);
    if (!found) return found.errors();
    high_tokens = *found;
    if (high_tokens == tokens) return text;
    if (high_tokens > tokens) break;
    if (high > wanted * kMostBytesPerToken) return Error{"its text has no tokens to repeat"};
  }
  high = text.size();
  for (bool halve = false; high - low > 1; halve = !halve) {
    const auto share =
        halve ? 0.5
              : static_cast<double>(tokens - low_tokens) / static_cast<double>(high_tokens - low_tokens);
    const auto guess = low + static_cast<size_t>(static_cast<double>(high - low) * share);
    size_t cut = boundary(text, std::clamp(guess, low + 1, high - 1));
    if (cut <= low) {  // the rest of a character: the next one's begin
      cut = low + 1;
      while (cut < high && boundary(text, cut) != cut) ++cut;
      if (cut == high) break;
    }
    const auto found = tokenizer_->count(std::string_view(text).substr(0, cut));
    if (!found) return found.errors();
    if (*found == tokens) return text.substr(0, cut);
    (*found < tokens ? low : high) = cut;
    (*found < tokens ? low_tokens : high_tokens) = *found;
  }
  if (low == 0) return Error{"its text has no part of " + std::to_string(tokens) + " tokens"};
  return text.substr(0, low);  // one letter more is more than one token: a little short
}

std::string PromptFit::by_scale() const {
  char scale[64];
  std::snprintf(scale, sizeof scale, "%.2f bytes a token, ", scale_.bytes_per_token);
  std::string how = scale + (scale_.counted.empty() ? "an estimate" : scale_.counted);
  if (asked_ == 0) return how;
  const std::string first = "the server's counts of ";
  if (counter_) return first + "each";
  return first + std::to_string(asked_ - 1) + ", the others by " + how +
         (counter_fault_.empty() ? "" : " (" + counter_fault_ + ")");
}

std::string PromptFit::report() const {
  if (!input_) return {};
  std::string how = tokenizer_ != nullptr ? "the tokenizer" : by_scale();
  const auto part = [](uint64_t count, const char* what) { return std::to_string(count) + what; };
  const bool known = cut_ + repeated_ + kept_ > 0;
  return "prompts are fitted to dataset.rows.input_tokens by " + how +
         (known ? ": " + part(cut_, " cut, ") + part(repeated_, " repeated, ") + part(kept_, " as they were")
                : "");
}

Result<void> check_fit(const RunFile& file, const Component& dataset, bool sessions) {
  const RunFile::Rows& rows = file.rows;
  const char* key = rows.input_tokens    ? "dataset.rows.input_tokens"
                    : rows.output_tokens ? "dataset.rows.output_tokens"
                                         : nullptr;
  if (key == nullptr) return {};
  const std::string called = std::string(key) + ": dataset \"" + file.dataset.use + "\" ";
  if (sessions) return Error{called + "gives sessions, whose turns keep the lengths that they have"};
  if (rows.input_tokens && dataset.has_capability("made-text"))
    return Error{called + "makes its prompts by lengths of its own; set them in dataset.options"};
  return {};
}

}  // namespace tokometer

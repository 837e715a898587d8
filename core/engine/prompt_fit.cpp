#include "engine/prompt_fit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tokometer {
namespace {

constexpr size_t kLikelyBytesPerToken = 6;
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
                  .is_counted = true};
}

PromptFit::PromptFit(const RunFile::Rows& rows, uint64_t seed, RunTokenizer* tokenizer, const FitScale& scale)
    : input_(rows.input_tokens),
      output_(rows.output_tokens),
      input_random_(seed, "rows.input_tokens"),
      output_random_(seed, "rows.output_tokens"),
      tokenizer_(tokenizer),
      scale_(scale) {}

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
  auto fitted = tokenizer_ != nullptr ? by_tokenizer(text, tokens) : by_bytes(text, tokens);
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

std::string PromptFit::report() const {
  if (!input_) return {};
  std::string how = "the tokenizer";
  if (tokenizer_ == nullptr) {
    char scale[64];
    std::snprintf(scale, sizeof scale, "%.2f bytes a token, ", scale_.bytes_per_token);
    how = scale + std::string(scale_.is_counted ? "as the server counted two of them" : "an estimate");
  }
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

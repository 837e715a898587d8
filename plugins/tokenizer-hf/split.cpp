#include "split.hpp"

#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>

namespace tokenizer_hf {
namespace {

struct Span {
  size_t begin, end;
  bool is_match;
};

// Matches and what lies between them; together the whole text.
std::vector<Span> spans_of(std::string_view text, const Pattern& pattern, bool invert) {
  std::vector<Span> spans;
  size_t at = 0;
  while (at < text.size()) {
    const auto match = pattern.find(text, at);
    if (!match) break;
    if (match->first > at) spans.push_back({at, match->first, invert});
    spans.push_back({match->first, match->second, !invert});
    at = match->second;
  }
  if (at < text.size()) spans.push_back({at, text.size(), invert});
  return spans;
}

// Runs of matches, and runs of others, become one.
std::vector<Span> contiguous(const std::vector<Span>& spans) {
  std::vector<Span> merged;
  for (const Span& span : spans) {
    if (!merged.empty() && span.is_match == merged.back().is_match) {
      merged.back().end = span.end;
    } else {
      merged.push_back(span);
    }
  }
  return merged;
}

// A match joins its neighbour in front, but not one that is a match itself.
template <class Join>
std::vector<Span> joined(const std::vector<Span>& spans, Join join) {
  std::vector<Span> merged;
  bool after_match = false;
  for (const Span& span : spans) {
    if (span.is_match && !after_match && !merged.empty()) {
      join(merged.back(), span);
    } else {
      merged.push_back(span);
    }
    after_match = span.is_match;
  }
  return merged;
}

std::vector<Span> joined_with_next(std::vector<Span> spans) {
  std::reverse(spans.begin(), spans.end());
  auto merged = joined(spans, [](Span& next, const Span& match) { next.begin = match.begin; });
  std::reverse(merged.begin(), merged.end());
  return merged;
}

}  // namespace

Pattern::Pattern(const Part& json) {
  json.allow_only({"String", "Regex"});
  if (json.has("Regex")) {
    try {
      regex_.emplace(json.text("Regex"));
    } catch (const tkm::Error& error) {
      json.unknown(std::string(error.text()));
    }
    return;
  }
  literal_ = json.text("String");
  if (literal_.empty()) json.malformed("the text is empty");
}

std::optional<std::pair<size_t, size_t>> Pattern::find(std::string_view text, size_t from) const {
  if (regex_) return regex_->find(text, from);
  const size_t begin = text.find(literal_, from);
  if (begin == text.npos) return std::nullopt;
  return std::pair(begin, begin + literal_.size());
}

std::string Pattern::replaced(std::string_view text, std::string_view content) const {
  std::string out;
  size_t at = 0;
  for (auto match = find(text, 0); match; match = find(text, at)) {
    out.append(text.substr(at, match->first - at)).append(content);
    at = match->second;
  }
  return out.append(text.substr(at));
}

Behavior behavior_of(const Part& json) {
  static constexpr std::array<std::string_view, 5> kNames{"Removed", "Isolated", "Contiguous",
                                                          "MergedWithPrevious", "MergedWithNext"};
  const std::string_view name = json.text("behavior");
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) json.unknown("the behavior " + in_quotes(name) + " is not known");
  return static_cast<Behavior>(found - kNames.begin());
}

void split(std::string_view text, const Pattern& pattern, Behavior behavior, bool invert,
           std::vector<std::string_view>& pieces) {
  std::vector<Span> spans = spans_of(text, pattern, invert);
  if (behavior == Behavior::contiguous) spans = contiguous(spans);
  if (behavior == Behavior::merged_with_previous)
    spans = joined(spans, [](Span& front, const Span& match) { front.end = match.end; });
  if (behavior == Behavior::merged_with_next) spans = joined_with_next(std::move(spans));
  for (const Span& span : spans) {
    if (behavior == Behavior::removed && span.is_match) continue;
    pieces.push_back(text.substr(span.begin, span.end - span.begin));
  }
}

}  // namespace tokenizer_hf

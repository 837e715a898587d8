// Cutting a text at the matches of a pattern, as tokenizer.json's `Split` and its relatives do. Views into
// the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "part.hpp"
#include "regex.hpp"

namespace tokenizer_hf {

// What becomes of the matches themselves.
enum class Behavior : uint8_t { removed, isolated, contiguous, merged_with_previous, merged_with_next };

// {"String": "..."} or {"Regex": "..."}
class Pattern {
 public:
  explicit Pattern(const Part& json);
  static Pattern literal(std::string_view text) { return {std::string(text), std::nullopt}; }
  static Pattern regex(std::string_view pattern) { return {{}, Regex(pattern)}; }

  std::optional<std::pair<size_t, size_t>> find(std::string_view text, size_t from) const;
  std::string replaced(std::string_view text, std::string_view content) const;

 private:
  Pattern(std::string text, std::optional<Regex> regex)
      : literal_(std::move(text)), regex_(std::move(regex)) {}

  std::string literal_;  // not empty, if there is no regex
  std::optional<Regex> regex_;
};

Behavior behavior_of(const Part& json);

// The pieces in their order; none is empty. `invert`: what matches is the text between the matches.
void split(std::string_view text, const Pattern& pattern, Behavior behavior, bool invert,
           std::vector<std::string_view>& pieces);

}  // namespace tokenizer_hf

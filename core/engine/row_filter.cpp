#include "engine/row_filter.hpp"

#include <algorithm>
#include <numeric>

namespace tokometer {

bool RowFilter::passes(const RowSize& row) {
  if (rules_.name.empty()) return true;
  ++seen_;
  const bool own_length = fixed_output_tokens_ < 0 && row.output_tokens >= 0;
  const int64_t output = own_length ? row.output_tokens : std::max<int64_t>(fixed_output_tokens_, 0);
  const std::array<bool, kNames.size()> fails{
      row.turns < rules_.turns, row.prompt_tokens<rules_.min_prompt, row.prompt_tokens> rules_.max_prompt,
      own_length && output < rules_.min_output, own_length && output > rules_.max_output,
      row.prompt_tokens + output > rules_.max_total};
  const auto failed = std::find(fails.begin(), fails.end(), true);
  if (failed == fails.end()) return true;
  ++left_out_[static_cast<size_t>(failed - fails.begin())];
  return false;
}

uint64_t RowFilter::left_out() const noexcept {
  return std::accumulate(left_out_.begin(), left_out_.end(), uint64_t{0});
}

std::string RowFilter::report() const {
  if (rules_.name.empty()) return {};
  std::string parts;
  for (size_t rule = 0; rule < kNames.size(); ++rule) {
    if (left_out_[rule] == 0) continue;
    parts +=
        (parts.empty() ? " (" : ", ") + std::string(kNames[rule]) + " " + std::to_string(left_out_[rule]);
  }
  return "filter " + rules_.name + " left out " + std::to_string(left_out()) + " of " +
         std::to_string(seen_) + " rows" + (parts.empty() ? "" : parts + ")") +
         "; lengths that the data do not state are " +
         (counted_ ? "counted by the tokenizer" : "estimated, 4 bytes a token");
}

}  // namespace tokometer

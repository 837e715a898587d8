// dataset.rows.filter: which rows are used, by the lengths of prompt and answer and the number of turns, with
// a count of what each rule left out. Where the dataset states no length, the run's tokenizer
// counts; without one, one token is taken for 4 bytes of text: an estimate, and the report says so. Owned by
// a SampleSource.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "config/run_file.hpp"

namespace tokometer {

constexpr int64_t estimated_tokens(size_t bytes) {
  return static_cast<int64_t>((bytes + 3) / 4);
}

struct RowSize {
  int64_t prompt_tokens = 0;
  int64_t output_tokens = -1;  // -1: the row says nothing about its answer
  int64_t turns = 1;           // 2: with an answer
};

class RowFilter {
 public:
  // `fixed_output_tokens`: what the run file asks for in place of each row's own length; -1: nothing. The
  // rows' own answers do not matter then.
  // `counted`: a tokenizer has counted what the data do not state.
  RowFilter(const RunFile::RowFilter& rules, int64_t fixed_output_tokens, bool counted = false)
      : rules_(rules), fixed_output_tokens_(fixed_output_tokens), counted_(counted) {}

  // The first rule that does not hold is the one that counts.
  bool passes(const RowSize& row);

  uint64_t left_out() const noexcept;
  // "filter vllm left out 812 of 1000 rows (turns 5, min_prompt 12, ...); ..."; empty: no filter.
  std::string report() const;

 private:
  static constexpr std::array<const char*, 6> kNames{"turns",      "min_prompt", "max_prompt",
                                                     "min_output", "max_output", "max_total"};

  RunFile::RowFilter rules_;
  int64_t fixed_output_tokens_;
  bool counted_;
  std::array<uint64_t, kNames.size()> left_out_{};
  uint64_t seen_ = 0;
};

}  // namespace tokometer

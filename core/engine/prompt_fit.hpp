// dataset.rows.input_tokens and .output_tokens: real prompts cut or repeated to a wanted number of tokens,
// and the lengths of their answers. Tokens are counted by the run's tokenizer; without one by the server,
// where it has a route for it and the data are read before the load; else the length in bytes is taken from
// what the server counted in preflight, or from an estimate. Owned by a SampleSource.
#pragma once

#include <tokometer/random.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/run_tokenizer.hpp"
#include "plugin/registry.hpp"

namespace tokometer {

// What preflight has found out about the server's counts.
struct FitScale {
  double bytes_per_token = 4;   // of texts; not used with a tokenizer
  int64_t overhead_tokens = 0;  // what the server counts besides the texts: its chat template
  std::string counted;          // "as the server counted two of them"; empty: an estimate
  int64_t around_tokens = 0;    // what the server's tokenizer puts around any text
};

// Asks the server for the tokens of a text, around_tokens included. Blocks.
using TextCounter = std::function<Result<int64_t>(std::string_view)>;

// Two texts that the server counted, one longer than the other. None: its counts say nothing.
std::optional<FitScale> scale_of(int64_t bytes, int64_t tokens, int64_t fewer_bytes, int64_t fewer_tokens);

class PromptFit {
 public:
  // `tokenizer` may be null and outlives this. `counter` is asked about each prompt, if there is no
  // tokenizer; empty: nobody is, and the scale holds for all.
  PromptFit(const RunFile::Rows& rows, uint64_t seed, RunTokenizer* tokenizer, const FitScale& scale,
            TextCounter counter = {});

  // From here on no prompt waits for the server.
  void stop_asking() { counter_ = {}; }

  // The next row's, from the seed; none: not asked for.
  std::optional<int64_t> draw_input() { return draw(input_, input_random_); }
  std::optional<int64_t> draw_output() { return draw(output_, output_random_); }

  // The tokens of a text. Error: it cannot be encoded.
  Result<int64_t> count(std::string_view text) const;

  // Makes the text this long, and gives what its length has become. Error: it cannot be.
  Result<int64_t> fit(std::string& text, int64_t tokens);
  void fit(std::vector<int32_t>& ids, int64_t tokens);

  int64_t overhead_tokens() const noexcept { return scale_.overhead_tokens; }
  bool counts_exactly() const noexcept { return tokenizer_ != nullptr; }

  // "prompts were fitted to dataset.rows.input_tokens: 12 cut, 3 repeated, ..."; empty: none were asked for.
  std::string report() const;

 private:
  using Length = std::optional<RunFile::TokenLength>;
  static std::optional<int64_t> draw(const Length& length, tkm::Random& random);
  Result<std::string> by_tokenizer(const std::string& whole, int64_t tokens) const;
  std::string by_bytes(const std::string& whole, int64_t tokens) const;
  std::string by_server(const std::string& whole, int64_t tokens);
  std::string by_scale() const;  // how prompts are fitted without a tokenizer
  void note(size_t before, size_t after);

  Length input_, output_;
  tkm::Random input_random_, output_random_;
  RunTokenizer* tokenizer_;
  FitScale scale_;
  TextCounter counter_;
  std::string counter_fault_;  // why it was given up; empty: it was not
  uint64_t asked_ = 0;         // prompts that the counter was asked about
  uint64_t cut_ = 0, repeated_ = 0, kept_ = 0;
};

// Data whose lengths are not the core's to change. `sessions`: the data will give some.
Result<void> check_fit(const RunFile& file, const Component& dataset, bool sessions);

}  // namespace tokometer

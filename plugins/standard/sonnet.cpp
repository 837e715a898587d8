// Prompts from the lines of a text: an instruction, the first lines of the file as a beginning that all
// share, then lines drawn at random, up to a length. Endless; the lines are kept in memory. Lengths are
// counted in words, by what the core has learned from the server or by what is usual for English.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "components.hpp"
#include "published.hpp"
#include "readers.hpp"

namespace standard {
namespace {

constexpr double kUsualTokensPerWord = 1.3;
constexpr size_t kMostBytes = 64 * 1024 * 1024;

struct SonnetOptions {
  std::string file;
  int64_t input_tokens = 550, output_tokens = 150, prefix_tokens = 200;
  std::string instruction = "Choose as many of these lines as you can and make a poem of them:";

  static void options(tkm::OptionSet<SonnetOptions>& o) {
    o.add("file", &SonnetOptions::file)
        .path()
        .required()
        .not_empty()
        .help("UTF-8 text, a line of a poem on each line; blank lines are skipped.")
        .example("\"sonnet.txt\"");
    o.add("input_tokens", &SonnetOptions::input_tokens)
        .at_least(1)
        .at_most(10'000'000)
        .help("Length of each prompt, to the nearest line.");
    o.add("output_tokens", &SonnetOptions::output_tokens)
        .at_least(1)
        .at_most(10'000'000)
        .help("Length asked of each answer, at most.");
    o.add("prefix_tokens", &SonnetOptions::prefix_tokens)
        .at_least(0)
        .at_most(10'000'000)
        .help("How much of it is the same for all: the instruction and the first lines of the file.");
    add_instruction(o, &SonnetOptions::instruction);
  }
};

int64_t words_in(std::string_view text) {
  int64_t words = 0;
  for (size_t at = text.find_first_not_of(kBlank); at != text.npos; ++words) {
    at = text.find_first_of(kBlank, at);
    at = text.find_first_not_of(kBlank, std::min(at, text.size()));
  }
  return words;
}

class Sonnet {
 public:
  static constexpr auto kId = "sonnet",
                        kSummary = "lines of a poem up to a length, behind a shared beginning";
  static constexpr std::array kCapabilities{"endless", "made-text", "shared-prefix"};
  using Options = SonnetOptions;

  Sonnet(const Options& options, const tkm_create_args& args)
      : output_tokens_(options.output_tokens), content_(args.seed, "content") {
    if (options.prefix_tokens >= options.input_tokens)
      throw tkm::config_error("prefix_tokens: must be below input_tokens");
    learn(tkm::Host(args));
    read_lines(options.file);
    make_beginning(options);
    words_ = words(options.input_tokens - overhead_tokens_);
  }

  int64_t size() const { return -1; }

  // Ends where one more line would lead further away from the length than none.
  bool next(tkm::SampleOut& out) {
    text_ = beginning_;
    int64_t words = beginning_words_;
    for (;;) {
      const Line& line = lines_[content_.below(lines_.size())];
      if (words > beginning_words_ && words + line.words / 2 > words_) break;
      append(line.text);
      words += line.words;
    }
    out.text(text_);
    out.lengths(-1, output_tokens_);
    return true;
  }

 private:
  struct Line {
    std::string text;
    int64_t words;
  };

  void learn(const tkm::Host& host) {
    const auto* seen = host.extension<tkm_calibration>("tkm.calibration/1");
    if (seen == nullptr || !(seen->tokens_per_word > 0) || !std::isfinite(seen->tokens_per_word)) return;
    tokens_per_word_ = seen->tokens_per_word;
    overhead_tokens_ = std::max<int64_t>(seen->overhead_tokens, 0);
  }

  int64_t words(int64_t tokens) const { return std::llround(static_cast<double>(tokens) / tokens_per_word_); }

  void read_lines(const std::string& file) {
    RecordReader reader(file, RecordReader::Form::lines);
    size_t bytes = 0;
    for (std::string_view line; reader.next(line);) {
      bytes += line.size();
      if (bytes > kMostBytes) throw tkm::config_error(file + ": larger than 64 MiB");
      lines_.push_back({std::string(line), words_in(line)});
    }
  }

  void make_beginning(const Options& options) {
    text_ = options.instruction;
    beginning_words_ = words_in(text_);
    for (const Line& line : lines_) {
      if (beginning_words_ + line.words / 2 > words(options.prefix_tokens)) break;
      append(line.text);
      beginning_words_ += line.words;
    }
    beginning_ = text_;
  }

  void append(std::string_view line) {
    if (!text_.empty()) text_.push_back('\n');
    text_.append(line);
  }

  double tokens_per_word_ = kUsualTokensPerWord;
  int64_t overhead_tokens_ = 0;
  int64_t output_tokens_;
  std::vector<Line> lines_;
  std::string beginning_, text_;
  int64_t beginning_words_ = 0, words_ = 0;
  tkm::Random content_;
};

}  // namespace

const tkm_component* sonnet_dataset() {
  return tkm::dataset<Sonnet>();
}

}  // namespace standard

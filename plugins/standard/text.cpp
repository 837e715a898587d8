// Prompts from a plain text file, one a line.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <string>

#include "components.hpp"
#include "readers.hpp"

namespace standard {
namespace {

struct TextOptions {
  std::string file;

  static void options(tkm::OptionSet<TextOptions>& o) {
    o.add("file", &TextOptions::file)
        .path()
        .required()
        .not_empty()
        .help("UTF-8 text, a prompt per line; blank lines are skipped.")
        .example("\"prompts.txt\"");
  }
};

class Text {
 public:
  static constexpr auto kId = "text", kSummary = "a text file with a prompt per line";
  static constexpr std::array<const char*, 0> kCapabilities{};
  using Options = TextOptions;

  explicit Text(const Options& options) : lines_(options.file, RecordReader::Form::lines) {}

  int64_t size() const { return -2; }

  bool next(tkm::SampleOut& out) {
    std::string_view line;
    if (!lines_.next(line)) return false;
    out.text(line);
    return true;
  }

 private:
  RecordReader lines_;
};

}  // namespace

const tkm_component* text_dataset() {
  return tkm::dataset<Text>();
}

}  // namespace standard

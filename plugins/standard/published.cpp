// Published sets of prompts with answers, read by their exact fields: one class and a table.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "components.hpp"
#include "fields.hpp"
#include "published.hpp"
#include "readers.hpp"

namespace standard {
namespace {

struct Set {
  const char *id, *summary;
  Fields (*fields)();
};

constexpr Set kOpenOrca{"openorca", "OpenOrca: questions with system prompts and answers", [] {
                          Fields fields;
                          fields.prompt = {{"question"}, true};
                          fields.system = {{"system_prompt"}, false};
                          fields.answer = {{"response"}, true};
                          return fields;
                        }};
constexpr Set kCnnDailyMail{"cnn_dailymail", "CNN/DailyMail: articles to summarize", [] {
                              Fields fields;
                              fields.prompt = {{"article"}, true};
                              fields.answer = {{"highlights"}, true};
                              return fields;
                            }};
// Alpaca's form, and that of its descendants.
constexpr Set kCodeAlpaca{"code_alpaca", "Code Alpaca: instructions with inputs and answers", [] {
                            Fields fields;
                            fields.prompt = {{"instruction", "prompt"}, true};
                            fields.appendix = {{"input"}, false};
                            fields.answer = {{"output", "completion"}, true};
                            return fields;
                          }};

struct SummaryOptions : FileOptions {
  std::string instruction = kSummarize;

  static void options(tkm::OptionSet<SummaryOptions>& o) {
    add_file(o);
    add_instruction(o, &SummaryOptions::instruction);
  }
};

template <const Set& kSet>
class Published {
 public:
  static constexpr auto kId = kSet.id, kSummary = kSet.summary;
  static constexpr std::array<const char*, 0> kCapabilities{};
  using Options = std::conditional_t<&kSet == &kCnnDailyMail, SummaryOptions, FileOptions>;

  explicit Published(const Options& options) : prompts_(fields(options)), records_(options.file) {}

  int64_t size() const { return -2; }
  bool next(tkm::SampleOut& out) { return prompts_.next(records_, out); }

 private:
  static Fields fields(const Options& options) {
    Fields fields = kSet.fields();
    if constexpr (std::is_same_v<Options, SummaryOptions>) fields.lead = options.instruction;
    return fields;
  }

  FieldPrompts prompts_;
  JsonRecords records_;
};

}  // namespace

const tkm_component* openorca_dataset() {
  return tkm::dataset<Published<kOpenOrca>>();
}
const tkm_component* cnn_dailymail_dataset() {
  return tkm::dataset<Published<kCnnDailyMail>>();
}
const tkm_component* code_alpaca_dataset() {
  return tkm::dataset<Published<kCodeAlpaca>>();
}

}  // namespace standard

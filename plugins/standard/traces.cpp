// Public traces of LLM services: when each request arrived and how long prompt and answer were, without their
// texts. Prompts are made to these lengths as synthetic ones are; Mooncake's block ids say which beginnings
// are shared. The traces differ in their field names alone, so they are one class and a table.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "arrival_times.hpp"
#include "components.hpp"
#include "csv.hpp"
#include "prompt_maker.hpp"
#include "readers.hpp"

namespace standard {
namespace {

struct Trace {
  const char *id, *summary;
  const char *timestamp, *input, *output;
  const char* unit;  // of a plain number as timestamp
  bool csv;
  bool blocks;                 // has Mooncake's hash_ids and text_input
  const char* none_generated;  // said of a record whose answer has no token
};

constexpr Trace kMooncake{.id = "mooncake",
                          .summary = "Mooncake traces: arrival times, lengths, shared prefix blocks",
                          .timestamp = "timestamp",
                          .input = "input_length",
                          .output = "output_length",
                          .unit = "ms",
                          .csv = false,
                          .blocks = true,
                          .none_generated = nullptr};
constexpr Trace kAzure{.id = "azure",
                       .summary = "Azure LLM inference traces: arrival times and lengths",
                       .timestamp = "TIMESTAMP",
                       .input = "ContextTokens",
                       .output = "GeneratedTokens",
                       .unit = "s",
                       .csv = true,
                       .blocks = false,
                       .none_generated = nullptr};
constexpr Trace kBurstGpt{.id = "burstgpt",
                          .summary = "BurstGPT traces: arrival times and lengths",
                          .timestamp = "Timestamp",
                          .input = "Request tokens",
                          .output = "Response tokens",
                          .unit = "s",
                          .csv = true,
                          .blocks = false,
                          .none_generated =
                              "is 0: the request failed there; use the file without fails, or "
                              "dataset.rows.on_bad: skip"};

struct TraceOptions : PromptForm {
  std::string file;
  std::optional<double> from_s, to_s;

  // The options that all traces have, for a struct derived from this.
  template <class T>
  static void add_all(tkm::OptionSet<T>& o) {
    o.add("file", static_cast<std::string T::*>(&TraceOptions::file))
        .path()
        .required()
        .not_empty()
        .help("The trace as it is published.");
    add_window(o, static_cast<std::optional<double> T::*>(&TraceOptions::from_s),
               static_cast<std::optional<double> T::*>(&TraceOptions::to_s));
    PromptForm::add_to(o);
  }
  static void options(tkm::OptionSet<TraceOptions>& o) { add_all(o); }
};

struct MooncakeOptions : TraceOptions {
  int64_t block_tokens = 512;

  static void options(tkm::OptionSet<MooncakeOptions>& o) {
    add_all(o);
    o.add("block_tokens", &MooncakeOptions::block_tokens)
        .at_least(1)
        .at_most(1'000'000)
        .help("Tokens that each of hash_ids stands for.");
  }
};

std::unique_ptr<Records> open_trace(const Trace& trace, const std::string& file) {
  if (!trace.csv) return std::make_unique<JsonRecords>(file);
  return std::make_unique<CsvRecords>(file,
                                      std::vector<std::string>{trace.timestamp, trace.input, trace.output});
}

template <const Trace& kTrace>
class TraceDataset {
 public:
  static constexpr auto kId = kTrace.id, kSummary = kTrace.summary;
  static constexpr auto kCapabilities = [] {
    if constexpr (kTrace.blocks) {
      return std::array{"arrival", "made-text", "shared-prefix"};
    } else {
      return std::array{"arrival", "made-text"};
    }
  }();
  using Options = std::conditional_t<kTrace.blocks, MooncakeOptions, TraceOptions>;

  TraceDataset(const Options& options, const tkm_create_args& args)
      : maker_(options, args, kId),
        times_({kTrace.timestamp, kTrace.unit, options.from_s, options.to_s}),
        seed_(args.seed),
        content_(args.seed, "content"),
        records_(open_trace(kTrace, options.file)) {
    if constexpr (kTrace.blocks) block_tokens_ = options.block_tokens;
  }

  int64_t size() const { return -2; }

  bool next(tkm::SampleOut& out) {
    while (records_->next()) {
      const tkm::Json& record = records_->object();
      const int64_t at_ns = arrival(record);
      if (!times_.is_inside(at_ns)) continue;
      say(record, out);
      out.arrival(at_ns);
      return true;
    }
    return false;
  }

 private:
  int64_t arrival(const tkm::Json& record) {
    const tkm::Json* value = tkm::find(record, kTrace.timestamp);
    if (value == nullptr) throw records_->missing(record, kTrace.timestamp);
    if (const auto at_ns = times_.at_ns(*value)) return *at_ns;
    throw records_->fault("\"" + std::string(kTrace.timestamp) + "\" must be a time (got " + shown(*value) +
                          ")");
  }

  int64_t length(const tkm::Json& record, const char* name, const char* none = nullptr) const {
    const tkm::Json* value = tkm::find(record, name);
    if (value == nullptr) throw records_->missing(record, name);
    const int64_t tokens = token_count(*value, name, *records_, none != nullptr ? 0 : 1);
    if (tokens == 0) throw records_->fault("\"" + std::string(name) + "\" " + none);
    return tokens;
  }

  void say(const tkm::Json& record, tkm::SampleOut& out) {
    const int64_t input = length(record, kTrace.input),
                  output = length(record, kTrace.output, kTrace.none_generated);
    if constexpr (kTrace.blocks) {
      if (const std::string_view text = tkm::get_string(record, "text_input"); !is_blank(text)) {
        out.text(text);
        out.lengths(input, output, TKM_OUTPUT_EXACT);
        return;
      }
    }
    maker_.begin(input);
    if (const tkm::Json* ids = tkm::find(record, "hash_ids"); kTrace.blocks && ids != nullptr)
      append_blocks(*ids);
    maker_.append(input, content_);  // what is left
    maker_.say(output, out);
  }

  void append_blocks(const tkm::Json& ids) {
    if (!ids.IsArray()) throw records_->fault("\"hash_ids\" must be a list (got " + shown(ids) + ")");
    for (const tkm::Json& id : ids.GetArray()) {
      const auto number = tkm::int_of(id);
      if (!number) throw records_->fault("\"hash_ids\" must hold whole numbers (got " + shown(id) + ")");
      tkm::Random block(seed_, "block " + std::to_string(*number));
      maker_.append(block_tokens_, block);
    }
  }

  PromptMaker maker_;
  ArrivalTimes times_;
  int64_t block_tokens_ = 0;  // 0: no blocks
  uint64_t seed_;
  tkm::Random content_;
  std::unique_ptr<Records> records_;
};

}  // namespace

const tkm_component* mooncake_dataset() {
  return tkm::dataset<TraceDataset<kMooncake>>();
}
const tkm_component* azure_dataset() {
  return tkm::dataset<TraceDataset<kAzure>>();
}
const tkm_component* burstgpt_dataset() {
  return tkm::dataset<TraceDataset<kBurstGpt>>();
}

}  // namespace standard

// Public traces of LLM services: when each request arrived and how long prompt and answer were, without their
// texts. Prompts are made to these lengths as synthetic ones are; Mooncake's block ids say which beginnings
// are shared. The traces differ in their field names alone, so they are one class and a table.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "components.hpp"
#include "csv.hpp"
#include "prompt_maker.hpp"
#include "readers.hpp"
#include "timestamps.hpp"

namespace standard {
namespace {

struct Trace {
  const char *id, *summary;
  const char *timestamp, *input, *output;
  int64_t unit_ns;  // of a plain number as timestamp
  bool csv;
  bool blocks;                 // has Mooncake's hash_ids and text_input
  const char* none_generated;  // said of a record whose answer has no token
};

constexpr Trace kMooncake{.id = "mooncake",
                          .summary = "Mooncake traces: arrival times, lengths, shared prefix blocks",
                          .timestamp = "timestamp",
                          .input = "input_length",
                          .output = "output_length",
                          .unit_ns = 1'000'000,
                          .csv = false,
                          .blocks = true,
                          .none_generated = nullptr};
constexpr Trace kAzure{.id = "azure",
                       .summary = "Azure LLM inference traces: arrival times and lengths",
                       .timestamp = "TIMESTAMP",
                       .input = "ContextTokens",
                       .output = "GeneratedTokens",
                       .unit_ns = 1'000'000'000,
                       .csv = true,
                       .blocks = false,
                       .none_generated = nullptr};
constexpr Trace kBurstGpt{.id = "burstgpt",
                          .summary = "BurstGPT traces: arrival times and lengths",
                          .timestamp = "Timestamp",
                          .input = "Request tokens",
                          .output = "Response tokens",
                          .unit_ns = 1'000'000'000,
                          .csv = true,
                          .blocks = false,
                          .none_generated =
                              "is 0: the request failed there; use the file without fails, or "
                              "dataset.rows.on_bad: skip"};

struct TraceOptions : PromptForm {
  std::string file;
  double from_s = 0;
  std::optional<double> to_s;

  // The options that all traces have, for a struct derived from this.
  template <class T>
  static void add_all(tkm::OptionSet<T>& o) {
    o.add("file", static_cast<std::string T::*>(&TraceOptions::file))
        .path()
        .required()
        .not_empty()
        .help("The trace as it is published.");
    o.add("from", static_cast<double T::*>(&TraceOptions::from_s))
        .duration()
        .at_least(0)
        .at_most(1e9)
        .help("Leaves out what arrived earlier, counted from the first record.")
        .example("\"10m\"");
    o.add("to", static_cast<std::optional<double> T::*>(&TraceOptions::to_s))
        .duration()
        .above(0)
        .at_most(1e9)
        .help("Ends before what arrived then or later, counted from the first record.")
        .example("\"20m\"");
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

TimeWindow window_of(const TraceOptions& options) {
  if (options.to_s && *options.to_s <= options.from_s) throw tkm::config_error("to: must lie behind from");
  TimeWindow window{.from_ns = std::llround(options.from_s * 1e9)};
  if (options.to_s) window.to_ns = std::llround(*options.to_s * 1e9);
  return window;
}

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
        arrivals_(kTrace.timestamp, kTrace.unit_ns, window_of(options)),
        seed_(args.seed),
        content_(args.seed, "content"),
        records_(open_trace(kTrace, options.file)) {
    if constexpr (kTrace.blocks) block_tokens_ = options.block_tokens;
  }

  int64_t size() const { return -2; }

  bool next(tkm::SampleOut& out) {
    while (!ended_ && records_->next()) {
      const tkm::Json& record = records_->object();
      const Arrivals::Place place = arrivals_.take(record, *records_);
      ended_ = place == Arrivals::Place::behind;
      if (place != Arrivals::Place::inside) continue;
      say(record, out);
      out.arrival(arrivals_.arrival_ns());
      return true;
    }
    return false;
  }

 private:
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
  Arrivals arrivals_;
  int64_t block_tokens_ = 0;  // 0: no blocks
  uint64_t seed_;
  tkm::Random content_;
  std::unique_ptr<Records> records_;
  bool ended_ = false;
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

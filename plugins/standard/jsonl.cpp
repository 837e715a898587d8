// Prompts from JSON records, one a line (or the elements of one array): a text, a list of token ids, or chat
// messages. Options name the fields; without them the usual names are tried.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrival_times.hpp"
#include "chat_messages.hpp"
#include "components.hpp"
#include "readers.hpp"

namespace standard {
namespace {

struct JsonlOptions {
  std::string file;
  std::optional<std::string> prompt, messages, system, output_tokens, timestamp;
  std::string timestamp_unit = "s";
  std::optional<double> from_s, to_s;

  ArrivalOptions arrivals() const { return {timestamp, timestamp_unit, from_s, to_s}; }

  static void options(tkm::OptionSet<JsonlOptions>& o) {
    o.add("file", &JsonlOptions::file)
        .path()
        .required()
        .not_empty()
        .help("A JSON object per line, or a JSON array of objects.")
        .example("\"prompts.jsonl\"");
    o.add("prompt", &JsonlOptions::prompt)
        .not_empty()
        .help(
            "Field with the prompt: a text, or a list of token ids. Unset: the first there is of prompt, "
            "instruction, "
            "question, input, context, content, text.");
    o.add("messages", &JsonlOptions::messages)
        .not_empty()
        .help(
            "Field with a list of chat messages, in place of a prompt. Unset: messages, where a record has "
            "it.");
    o.add("system", &JsonlOptions::system)
        .not_empty()
        .help(
            "Field with a system prompt for the chat. Unset: system or system_prompt, where a record has "
            "it.");
    o.add("output_tokens", &JsonlOptions::output_tokens)
        .not_empty()
        .help("Field with the number of tokens to ask for. Unset: output_tokens, where a record has it.");
    o.add("timestamp", &JsonlOptions::timestamp)
        .not_empty()
        .help(
            "Field with the time at which the request arrives, for load trace: a number. Unset: timestamp, "
            "where a record has it.");
    o.add("timestamp_unit", &JsonlOptions::timestamp_unit)
        .one_of({"s", "ms", "us", "ns"})
        .help("What such a number counts.");
    o.add("from", &JsonlOptions::from_s)
        .duration()
        .at_least(0)
        .help("Only records that arrive so long after the first one, or later.")
        .example("\"10m\"");
    o.add("to", &JsonlOptions::to_s)
        .duration()
        .above(0)
        .help("Only records that arrive less than so long after the first one.")
        .example("\"20m\"");
  }
};

using Names = std::vector<std::string>;

// The name that the user gave, or the usual ones.
Names names(const std::optional<std::string>& given, Names usual) {
  return given ? Names{*given} : std::move(usual);
}

const tkm::Json* first_of(const tkm::Json& record, const Names& fields) {
  for (const auto& field : fields) {
    const tkm::Json* found = tkm::find(record, field);
    if (found != nullptr && !found->IsNull()) return found;
  }
  return nullptr;
}

class Jsonl {
 public:
  static constexpr auto kId = "jsonl", kSummary = "JSON records with a prompt or chat messages";
  static constexpr std::array kCapabilities{"arrival"};
  using Options = JsonlOptions;

  explicit Jsonl(const Options& options)
      : options_(checked(options)),
        prompt_(names(options.prompt,
                      {"prompt", "instruction", "question", "input", "context", "content", "text"})),
        messages_(names(options.messages, options.prompt ? Names{} : Names{"messages"})),
        system_(names(options.system, {"system", "system_prompt"})),
        output_tokens_(names(options.output_tokens, {"output_tokens"})),
        timestamp_(names(options.timestamp, {"timestamp"})),
        times_(options.arrivals()),
        records_(options.file) {}

  int64_t size() const { return -2; }

  bool next(tkm::SampleOut& out) {
    std::optional<int64_t> at_ns;
    do {
      if (!records_.next()) return false;
      const tkm::Json& record = records_.value();
      if (!record.IsObject()) throw records_.fault("must be an object (got " + shown(record) + ")");
      at_ns = arrival(record);
    } while (at_ns && !times_.is_inside(*at_ns));
    if (at_ns) out.arrival(*at_ns);
    say(records_.value(), out);
    return true;
  }

 private:
  void say(const tkm::Json& record, tkm::SampleOut& out) {
    if (const tkm::Json* messages = optional_field(record, messages_, options_.messages)) {
      say_messages(*messages, records_, out);
      out.lengths(-1, output_length(record));
    } else {
      say_prompt(record, out);
    }
  }

  static const Options& checked(const Options& options) {
    if (options.messages && options.prompt) throw tkm::config_error("prompt, messages: give one of the two");
    if (options.messages && options.system) {
      throw tkm::config_error("system: messages bring their own; give it with a prompt only");
    }
    return options;
  }

  // A field that the user named must be there; one of the usual names need not.
  const tkm::Json* optional_field(const tkm::Json& record, const Names& fields,
                                  const std::optional<std::string>& named) const {
    const tkm::Json* found = first_of(record, fields);
    if (found == nullptr && named) throw records_.missing(record, *named);
    return found;
  }

  void say_prompt(const tkm::Json& record, tkm::SampleOut& out) {
    const tkm::Json* prompt = first_of(record, prompt_);
    if (prompt == nullptr) throw records_.missing(record, prompt_.front());
    const std::string_view system = system_text(record);
    if (prompt->IsArray()) {
      say_ids(*prompt, system, out);
    } else {
      say_text(*prompt, system, out);
    }
    out.lengths(prompt->IsArray() ? int64_t{prompt->Size()} : -1, output_length(record));
  }

  void say_text(const tkm::Json& prompt, std::string_view system, tkm::SampleOut& out) const {
    if (!prompt.IsString())
      throw records_.fault("the prompt must be text or a list of token ids (got " + shown(prompt) + ")");
    if (is_blank(tkm::text_of(prompt))) throw records_.fault("empty prompt");
    if (system.empty()) return out.text(tkm::text_of(prompt));
    out.message("system", system);
    out.message("user", tkm::text_of(prompt));
  }

  void say_ids(const tkm::Json& prompt, std::string_view system, tkm::SampleOut& out) {
    if (prompt.Empty()) throw records_.fault("empty prompt");
    if (!system.empty()) throw records_.fault("a system prompt cannot go in front of token ids");
    ids_.clear();
    for (const tkm::Json& item : prompt.GetArray()) {
      const auto id = tkm::int_of(item);
      if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
        throw records_.fault("a token id must be a whole number from 0 (got " + shown(item) + ")");
      }
      ids_.push_back(static_cast<int32_t>(*id));
    }
    out.tokens(ids_);
  }

  // A field of the usual name may hold other things: it counts only where it is needed, or is a number.
  std::optional<int64_t> arrival(const tkm::Json& record) {
    const tkm::Json* timestamp = first_of(record, timestamp_);
    const bool needed = options_.timestamp || times_.cuts();
    if (timestamp == nullptr && needed) throw records_.missing(record, timestamp_.front());
    if (timestamp == nullptr) return std::nullopt;
    const auto at_ns = times_.at_ns(*timestamp);
    if (at_ns || !needed) return at_ns;
    throw records_.fault("\"" + timestamp_.front() + "\" must be a number of " + options_.timestamp_unit +
                         " (got " + shown(*timestamp) + ")");
  }

  std::string_view system_text(const tkm::Json& record) const {
    const tkm::Json* system = optional_field(record, system_, options_.system);
    if (system == nullptr) return {};
    if (!system->IsString())
      throw records_.fault("the system prompt must be text (got " + shown(*system) + ")");
    return is_blank(tkm::text_of(*system)) ? std::string_view() : tkm::text_of(*system);
  }

  int64_t output_length(const tkm::Json& record) const {
    const tkm::Json* length = optional_field(record, output_tokens_, options_.output_tokens);
    if (length == nullptr) return -1;
    const auto tokens = tkm::int_of(*length);
    if (tokens && *tokens >= 1) return *tokens;
    throw records_.fault("\"" + output_tokens_.front() + "\" must be a whole number from 1 (got " +
                         shown(*length) + ")");
  }

  Options options_;
  Names prompt_, messages_, system_, output_tokens_, timestamp_;
  ArrivalTimes times_;
  JsonRecords records_;
  std::vector<int32_t> ids_;
};

}  // namespace

const tkm_component* jsonl_dataset() {
  return tkm::dataset<Jsonl>();
}

}  // namespace standard

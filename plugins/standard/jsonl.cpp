// Prompts from any JSON records (one a line, or the elements of one array) and from any CSV file. Options
// name the fields; without them the usual names are tried.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "components.hpp"
#include "csv.hpp"
#include "fields.hpp"
#include "readers.hpp"

namespace standard {
namespace {

struct CsvOptions {
  std::string file;
  std::optional<std::string> prompt, system, answer, output_tokens, timestamp;
  std::string timestamp_unit = "s";
  std::optional<double> from_s, to_s;

  ArrivalOptions arrivals() const { return {timestamp, timestamp_unit, from_s, to_s}; }

  template <class T>
  using Name = std::optional<std::string> T::*;

  // The options that both forms have, for a struct derived from this.
  template <class T>
  static void add_names(tkm::OptionSet<T>& o) {
    o.add("prompt", static_cast<Name<T>>(&CsvOptions::prompt))
        .not_empty()
        .help(
            "Field with the prompt: a text (in JSON also a list of token ids). Unset: the first there is of "
            "prompt, instruction, question, input, context, content, text.");
    o.add("system", static_cast<Name<T>>(&CsvOptions::system))
        .not_empty()
        .help(
            "Field with a system prompt for the chat. Unset: system or system_prompt, where a record has "
            "it.");
    o.add("answer", static_cast<Name<T>>(&CsvOptions::answer))
        .not_empty()
        .help("Field with the answer, which gives the length to ask for where no other is known.")
        .example("\"response\"");
    o.add("output_tokens", static_cast<Name<T>>(&CsvOptions::output_tokens))
        .not_empty()
        .help("Field with the number of tokens to ask for. Unset: output_tokens, where a record has it.");
    o.add("timestamp", static_cast<Name<T>>(&CsvOptions::timestamp))
        .not_empty()
        .help(
            "Field with the time at which the request arrives, for load trace: a number, or a date with a "
            "time. Unset: timestamp, where a record has it.");
    o.add("timestamp_unit", static_cast<std::string T::*>(&CsvOptions::timestamp_unit))
        .one_of({"s", "ms", "us", "ns"})
        .help("What such a number counts.");
    add_window(o, static_cast<std::optional<double> T::*>(&CsvOptions::from_s),
               static_cast<std::optional<double> T::*>(&CsvOptions::to_s));
  }
  static void options(tkm::OptionSet<CsvOptions>& o) {
    o.add("file", &CsvOptions::file)
        .path()
        .required()
        .not_empty()
        .help("CSV as in RFC 4180; the first line names the columns.")
        .example("\"prompts.csv\"");
    add_names(o);
  }
};

struct JsonlOptions : CsvOptions, SessionOptions {
  std::optional<std::string> messages;

  static void options(tkm::OptionSet<JsonlOptions>& o) {
    o.add("file", static_cast<std::string JsonlOptions::*>(&CsvOptions::file))
        .path()
        .required()
        .not_empty()
        .help("A JSON object per line, or a JSON array of objects.")
        .example("\"prompts.jsonl\"");
    add_names(o);
    o.add("messages", &JsonlOptions::messages)
        .not_empty()
        .help(
            "Field with a list of chat messages, in place of a prompt. Unset: messages, where a record has "
            "it.");
    SessionOptions::add_to(o);
  }
};

// The name that the user gave, which must be there, or the usual ones.
Field field(const std::optional<std::string>& given, std::vector<std::string> usual) {
  return given ? Field{{*given}, true} : Field{std::move(usual), false};
}

Fields fields_of(const CsvOptions& options) {
  Fields fields;
  fields.prompt =
      field(options.prompt, {"prompt", "instruction", "question", "input", "context", "content", "text"});
  fields.system = field(options.system, {"system", "system_prompt"});
  fields.answer = field(options.answer, {});
  fields.output_tokens = field(options.output_tokens, {"output_tokens"});
  fields.timestamp = field(options.timestamp, {"timestamp"});
  return fields;
}

Fields fields_of(const JsonlOptions& options) {
  if (options.messages && options.prompt) throw tkm::config_error("prompt, messages: give one of the two");
  if (options.messages && options.system) {
    throw tkm::config_error("system: messages bring their own; give it with a prompt only");
  }
  Fields fields = fields_of(static_cast<const CsvOptions&>(options));
  if (!options.prompt) fields.messages = field(options.messages, {"messages"});
  return fields;
}

// The columns that options name, found missing before the first row.
CsvRecords open_csv(const CsvOptions& options) {
  std::vector<std::string> needed;
  for (const auto* name :
       {&options.prompt, &options.system, &options.answer, &options.output_tokens, &options.timestamp}) {
    if (*name) needed.push_back(**name);
  }
  return CsvRecords(options.file, needed);
}

class Jsonl {
 public:
  static constexpr auto kId = "jsonl", kSummary = "JSON records with a prompt or chat messages";
  static constexpr std::array kCapabilities{"arrival", "sessions"};
  using Options = JsonlOptions;

  Jsonl(const Options& options, const tkm_create_args& args)
      : prompts_(fields_of(options), options.arrivals()), records_(options.file) {
    if (options.sessions) prompts_.play_sessions(options, args);
  }

  int64_t size() const { return -2; }
  bool next(tkm::SampleOut& out) { return prompts_.next(records_, out); }

 private:
  FieldPrompts prompts_;
  JsonRecords records_;
};

class Csv {
 public:
  static constexpr auto kId = "csv", kSummary = "CSV rows with a prompt, columns by name";
  static constexpr std::array kCapabilities{"arrival"};
  using Options = CsvOptions;

  explicit Csv(const Options& options)
      : prompts_(fields_of(options), options.arrivals()), records_(open_csv(options)) {}

  int64_t size() const { return -2; }
  bool next(tkm::SampleOut& out) { return prompts_.next(records_, out); }

 private:
  FieldPrompts prompts_;
  CsvRecords records_;
};

}  // namespace

const tkm_component* jsonl_dataset() {
  return tkm::dataset<Jsonl>();
}
const tkm_component* csv_dataset() {
  return tkm::dataset<Csv>();
}

}  // namespace standard

// The verbs of the program as one table: what they are called, what they do, and the examples that --help
// shows. The parser (options.cpp), the overview and the messages about misspelt verbs all read it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tokometer {

enum class Verb {
  help,
  run,
  validate,
  render,
  plan,
  probe,
  report,
  verify,
  selftest,
  schema,
  init,
  plugin_list,
  plugin_describe,
  plugin_check,
  plugin_doctor,
  version
};

struct VerbInfo {
  Verb verb;
  std::string_view name;       // "plugin list": two words where a group has several
  std::string_view arguments;  // "FILE...|PRESET"
  std::string_view summary;    // half a sentence
  std::string_view details;    // a few lines; may be empty
  std::string_view examples;   // a line each
};

// All, in the order in which the overview shows them. Static lifetime.
std::span<const VerbInfo> verbs();

const VerbInfo& info_of(Verb verb);

// What `tokometer --help` prints.
std::string overview();

// What `tokometer plugin --help` prints: the verbs of one group.
std::string group_overview(std::string_view group);

// "unknown verb "rnu"; did you mean "run"?" `group` is "plugin", or empty at the top.
std::string unknown_verb(std::string_view group, std::string_view word);

}  // namespace tokometer

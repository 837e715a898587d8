// The command line, read: which verb, on what, with which flags. Nothing is opened here. A bad command line
// is one clear sentence that names the nearest verb or flag; the program then ends with exit code 2.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/verbs.hpp"
#include "config/expand.hpp"
#include "plugin/registry.hpp"
#include "report/report.hpp"

namespace tokometer {

struct CommandLine {
  Verb verb = Verb::help;
  std::vector<std::string> inputs;  // what follows the verb: files, "-", a preset, a directory, a name
  std::vector<SetOption> sets;      // --set and its like in the order given, --url and --model among them
  std::string url;                  // of --url, also in `sets`
  SearchOptions plugins;            // --plugin-dir, --trust-plugin-dir
  std::optional<Style> style;       // --style
  std::string point;                // report --point
  std::string resume;               // run --resume: the directory of a matrix
  std::vector<std::string> with;    // schema --with
  std::string output;               // init -o; empty: stdout
  int verbosity = 0;                // -v: 1, -v -v: 2
  bool quiet = false;               // -q: no progress, only errors
  bool strict = false;              // SUSPECT counts as INVALID
  bool json = false;                // --json
  bool yaml = false;                // plugin describe --yaml
  bool list = false;                // init --list
  std::string only;                 // plugin check --only
  std::string fixtures;             // plugin check --fixtures
  bool in_process = false;          // plugin check --in-process
  std::string help;                 // verb help: the text to print
  std::string text;                 // the whole line as the shell would take it, for the manifest
};

// `arguments` without the program's name.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace tokometer

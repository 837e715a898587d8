// One run from its run file to its report: plan, preflight, load, summary, files. `run` does one of them, a
// matrix many, one after the other in the same process. Main thread; signals are blocked before
// (signals.hpp).
#pragma once

#include <filesystem>
#include <string>

#include "cli/commands.hpp"
#include "cli/input.hpp"

namespace tokometer {

// Where a run's directory is made, and how it is called. Empty name: by the run's own id, NAME-UTC-HEX.
struct RunPlace {
  std::filesystem::path parent;
  std::string name;
  bool print_report = true;
};

struct RanOne {
  int exit_code = 0;
  std::filesystem::path directory;  // empty: the run left none
  int stopped_by = 0;               // SIGINT, SIGTERM or SIGHUP; 0: nobody
};

RanOne run_one(const CommandLine& line, const LogSink& log_sink, RunFile file, Registry& registry,
               const RunPlace& place);

// What a run is called where its file does not say: as the file itself.
std::string name_of(const RunFile& file, const CommandLine& line);

// "chat-8b-20261122T043601Z-3f9c1a" of a name, a time ("2026-11-22T04:36:01Z") and a hex word.
std::string directory_name(const std::string& name, std::string start_utc, const std::string& salt);

}  // namespace tokometer

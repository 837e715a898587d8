// From the command line's FILE..., PRESET or "-" to a run file that is read and checked. Opens files, no
// socket.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/options.hpp"
#include "config/expand.hpp"
#include "config/matrix.hpp"
#include "config/run_file.hpp"
#include "engine/plan.hpp"
#include "plugin/registry.hpp"

namespace tokometer {

// Exit codes: see reliability in docs. Shared by all verbs.
inline constexpr int kFinished = 0, kInternalError = 1, kRefused = 2, kNotReady = 3, kGateFailed = 4,
                     kInvalid = 5, kIncomplete = 6;

// The texts behind `line.inputs`: files by name, stdin, or a preset (which needs --url).
Result<Sources> sources_of(const CommandLine& line);

struct Input {
  std::unique_ptr<Registry> registry;
  RunFile file;
};

// A run file that stands for many runs, each read and checked: all faults of all of them.
struct MatrixInput {
  struct Cell {
    std::string name;
    std::vector<std::pair<std::string, std::string>> values;
    RunFile file;
  };
  std::unique_ptr<Registry> registry;
  std::vector<Cell> cells;  // one at least
  uint64_t repeat = 1;
  std::string json;  // the two keys as written
  bool is_one_run = true;
};
Result<MatrixInput> read_matrix_input(const CommandLine& line);

// All faults of the run file and of its plugins' options. Its warnings go to the log. Of a matrix the first
// run.
Result<Input> read_input(const CommandLine& line);
Result<Input> read_input(const CommandLine& line, const Sources& sources);

}  // namespace tokometer

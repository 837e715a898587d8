// Many runs from one file: the cells of a matrix, round by round, each in a folder of one parent directory. A
// run that fails does not stop the others. What is done is read from the folders, so that --resume repeats
// nothing, however the last program ended.
#pragma once

#include "cli/commands.hpp"
#include "cli/input.hpp"

namespace tokometer {

// The exit code: of a signal, else the worst of the runs.
int run_matrix(const CommandLine& line, const LogSink& log_sink, MatrixInput input);

}  // namespace tokometer

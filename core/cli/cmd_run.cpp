// `tokometer run`: one run, or, with `matrix` or `repeat`, many.
#include "cli/commands.hpp"
#include "cli/matrix_run.hpp"
#include "cli/print.hpp"
#include "cli/run_one.hpp"
#include "cli/signals.hpp"

namespace tokometer {

int run_command(const CommandLine& line, const LogSink& log_sink) {
  block_signals();
  auto input = read_matrix_input(line);
  if (!input) return complain(input.errors()), kRefused;
  if (!input->is_one_run) return run_matrix(line, log_sink, std::move(*input));
  if (!line.resume.empty()) {
    complain({Error{"--resume: the run file has neither \"matrix\" nor \"repeat\""}});
    return kRefused;
  }
  RunFile& file = input->cells.front().file;
  const RunPlace place{file.output.dir, "", true};
  return run_one(line, log_sink, std::move(file), *input->registry, place).exit_code;
}

}  // namespace tokometer

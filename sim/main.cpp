// tokometer-sim: a simulated LLM server that knows the truth about every byte it sends.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "sim/flags.hpp"
#include "sim/options.hpp"
#include "sim/server.hpp"
#include "sim/truth_log.hpp"

namespace tokometer::embedded {
extern const std::string_view sim_schema;
}

namespace tokometer::sim {
namespace {

constexpr int kBadUse = 2, kFailed = 1;

int complain(const std::vector<Error>& errors) {
  for (const Error& error : errors) std::fprintf(stderr, "tokometer-sim: %s\n", to_string(error).c_str());
  return kBadUse;
}

// SIGTERM and SIGINT as a descriptor.
Descriptor stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return Descriptor(::signalfd(-1, &signals, SFD_CLOEXEC));
}

int serve(const CommandLine& line) {
  auto options = read_options(line.options_json);
  if (!options) return complain(options.errors());
  const Descriptor signals = stop_signals();
  if (line.exit_with_stdin) ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0UL, 0UL, 0UL);
  std::unique_ptr<TruthLog> truth;
  if (!options->truth.empty()) {
    auto log = TruthLog::create(options->truth);
    if (!log) return complain(log.errors());
    truth = std::move(*log);
  }
  const SteadyClock clock;
  auto server = Server::listen(std::move(*options), clock, truth.get(), line.host, line.port);
  if (!server) return complain(server.errors());
  std::printf("READY %s\n", (*server)->url().c_str());
  std::fflush(stdout);
  const auto done = (*server)->run(signals.get(), line.exit_with_stdin ? STDIN_FILENO : -1);
  std::fprintf(stderr, "tokometer-sim: %s\n", (*server)->lateness_report().c_str());
  return done ? 0 : (complain(done.errors()), kFailed);
}

int run(const std::vector<std::string>& arguments) {
  const auto line = parse_command_line(arguments, embedded::sim_schema);
  if (!line) return complain(line.errors());
  if (line->help) return std::fputs(help_text(embedded::sim_schema).c_str(), stdout), 0;
  if (line->version) return std::puts("tokometer-sim " TOKOMETER_VERSION), 0;
  return serve(*line);
}

}  // namespace
}  // namespace tokometer::sim

int main(int argc, char** argv) {
  return tokometer::sim::run({argv + 1, argv + argc});
}

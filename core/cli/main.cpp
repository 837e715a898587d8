// Reads the command line, calls the verb, and turns what it returns into the exit code.
#include <sys/auxv.h>

#include <memory>
#include <string>
#include <vector>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "cli/commands.hpp"
#include "cli/input.hpp"
#include "cli/print.hpp"
#include "cli/signals.hpp"
#include "plugin/crash.hpp"

namespace tokometer {
namespace {

spdlog::level::level_enum level_of(const CommandLine& line) {
  if (line.quiet) return spdlog::level::err;
  if (line.verbosity == 0) return spdlog::level::warn;
  return line.verbosity == 1 ? spdlog::level::info : spdlog::level::debug;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

LogSink make_log_sink(const CommandLine& line) {
  auto logger =
      std::make_shared<spdlog::logger>("tokometer", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("tokometer: %l: %v");
  logger->set_level(level_of(line));
  return [logger](LogLevel level, std::string_view text) {
    logger->log(level_of(level), spdlog::string_view_t(text.data(), text.size()));
  };
}

int run_verb(const CommandLine& line, const LogSink& log_sink) {
  switch (line.verb) {
    case Verb::help:
      return print(line.help), kFinished;
    case Verb::version:
      return version_command();
    case Verb::run:
      return run_command(line, log_sink);
    case Verb::validate:
      return validate_command(line);
    case Verb::render:
      return render_command(line);
    case Verb::plan:
      return plan_command(line);
    case Verb::probe:
      return probe_command(line);
    case Verb::report:
      return report_command(line);
    case Verb::verify:
      return verify_command(line);
    case Verb::selftest:
      return selftest_command(line);
    case Verb::schema:
      return schema_command(line);
    case Verb::init:
      return init_command(line);
    case Verb::plugin_list:
      return plugin_list_command(line);
    case Verb::plugin_describe:
      return plugin_describe_command(line);
    case Verb::plugin_check:
      return plugin_check_command(line);
    case Verb::plugin_doctor:
      return plugin_doctor_command(line);
  }
  return kInternalError;
}

int main_of(const std::vector<std::string>& arguments) {
  if (getauxval(AT_SECURE) != 0) {
    complain({Error{"refuses to run set-uid or set-gid: plugins are chosen by the user"}});
    return kRefused;
  }
  prepare_process();
  install_crash_handler();
  const SignalStack stack;
  auto line = parse_command_line(arguments);
  if (!line) return complain(line.errors()), kRefused;
  const LogSink log_sink = make_log_sink(*line);
  set_log_sink(log_sink);
  const int code = run_verb(*line, log_sink);
  set_log_sink({});
  return code;
}

}  // namespace
}  // namespace tokometer

int main(int argc, char** argv) {
  return tokometer::main_of({argv + std::min(argc, 1), argv + argc});
}

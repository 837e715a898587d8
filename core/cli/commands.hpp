// One function a verb. Each prints its result on stdout, its troubles on stderr, and returns the exit code.
#pragma once

#include <functional>
#include <string_view>

#include "base/log.hpp"
#include "cli/options.hpp"

namespace tokometer {

using LogSink = std::function<void(LogLevel, std::string_view)>;

int run_command(const CommandLine& line, const LogSink& log_sink);  // cmd_run.cpp
int report_command(const CommandLine& line);                        // cmd_report.cpp
int verify_command(const CommandLine& line);
int validate_command(const CommandLine& line);  // cmd_inspect.cpp
int render_command(const CommandLine& line);
int plan_command(const CommandLine& line);
int schema_command(const CommandLine& line);
int version_command();
int init_command(const CommandLine& line);         // cmd_init.cpp
int probe_command(const CommandLine& line);        // cmd_probe.cpp
int selftest_command(const CommandLine& line);     // cmd_selftest.cpp
int plugin_list_command(const CommandLine& line);  // cmd_plugin.cpp
int plugin_describe_command(const CommandLine& line);
int plugin_check_command(const CommandLine& line);  // cmd_plugin_check.cpp
int plugin_doctor_command(const CommandLine& line);

// The run file of a first look at a server, and what one look found.
struct ServerFacts {
  std::string processor, model;  // the processor as a run file says it
};
// Guesses the processor and asks the server, as `probe URL` does. Errors: not reachable, several models, ...
Result<ServerFacts> look_at(const std::string& url, const CommandLine& line);  // cmd_probe.cpp

}  // namespace tokometer

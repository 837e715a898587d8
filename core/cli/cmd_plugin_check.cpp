#include <filesystem>
#include <system_error>

#include "check/check.hpp"
#include "check/doctor.hpp"
#include "cli/commands.hpp"
#include "cli/input.hpp"
#include "cli/print.hpp"

namespace tokometer {
namespace {

// The working directory is the user's own here: the file was named, not searched.
std::string absolute(const std::string& path) {
  std::error_code failure;
  const auto found = std::filesystem::absolute(path, failure).lexically_normal();
  return failure ? path : found.string();
}

}  // namespace

int plugin_check_command(const CommandLine& line) {
  const auto report = check::check_plugin({.path = absolute(line.inputs.front()),
                                           .only = line.only,
                                           .fixtures = line.fixtures.empty() ? "" : absolute(line.fixtures),
                                           .in_process = line.in_process,
                                           .trust = line.plugins.trust ? Trust::skip : Trust::check});
  if (!report) return complain(report.errors()), kRefused;
  print(line.json ? render_check_json(*report) : render_check_text(*report));
  return report->passed() ? kFinished : kGateFailed;
}

int plugin_doctor_command(const CommandLine& line) {
  std::string about = line.inputs.empty() ? "" : line.inputs.front();
  if (about.ends_with(".so")) about = absolute(about);
  const auto diagnosis = check::diagnose(Registry::default_search_path(line.plugins), about);
  print(line.json ? render_diagnosis_json(diagnosis) : render_diagnosis_text(diagnosis));
  return diagnosis.is_well() ? kFinished : kRefused;
}

}  // namespace tokometer

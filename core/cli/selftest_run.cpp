#include "cli/selftest_run.hpp"

#include <csignal>
#include <thread>

#include "base/log.hpp"
#include "cli/host.hpp"
#include "cli/input.hpp"
#include "cli/signals.hpp"
#include "engine/run.hpp"
#include "engine/target.hpp"

namespace tokometer {
namespace {

constexpr int64_t kSliceNs = 50'000'000;
constexpr size_t kSaltDigits = 6;

Error stopped() {
  return Error{"stopped before the end: no result"};
}

}  // namespace

Result<SelfTestRuns> SelfTestRuns::make(const CommandLine& line) {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) return Error{"selftest: no folder for temporary files: set TMPDIR"};
  auto directory = FreshDirectory::make(parent, "tokometer-selftest-" + random_hex(kSaltDigits));
  if (!directory) return directory.errors();
  return SelfTestRuns(line, std::move(*directory));
}

bool SelfTestRuns::take_signal() {
  for (int signal = next_signal(); signal != 0; signal = next_signal()) {
    if (signal != SIGQUIT && stopped_by_ == 0) stopped_by_ = signal;
  }
  return stopped_by_ != 0;
}

bool SelfTestRuns::rest(int64_t duration_ns) {
  for (const int64_t end_ns = clock_.now_ns() + duration_ns; clock_.now_ns() < end_ns;) {
    if (take_signal()) return false;
    std::this_thread::sleep_for(std::chrono::nanoseconds(kSliceNs));
  }
  return true;
}

Result<void> SelfTestRuns::load(const Plan& plan, const std::vector<Preflight>& preflights,
                                const std::filesystem::path& place) {
  const std::string salt = random_hex(kSaltDigits);
  Manifest manifest = make_manifest(plan, preflights, redactor_);
  manifest.run_id = place.filename().string();
  manifest.name = plan.file.name;
  manifest.tool_version = kToolVersion;
  auto run = Run::start(plan, preflights, {place, salt + "-", salt}, std::move(manifest), clock_, redactor_);
  if (!run) return run.errors();
  while (!(*run)->wait(kSliceNs)) {
    if (take_signal()) (*run)->stop({"selftest", true, std::nullopt});
  }
  const RunResult result = (*run)->finish();
  if (take_signal()) return stopped();
  const std::string& fault = result.records_fault.empty() ? result.fault : result.records_fault;
  if (!fault.empty()) return Error{"selftest: " + fault};
  return {};
}

Result<Summary> SelfTestRuns::run(const std::string& name, const std::string& run_file) {
  if (take_signal()) return stopped();
  auto input = read_input(line_, {.files = {{"selftest " + name, run_file}}, .sets = {}, .environment = {}});
  if (!input) return input.errors();
  auto plan = make_plan(std::move(input->file), *input->registry);
  if (!plan) return plan.errors();
  auto place = FreshDirectory::make(directory_.path(), name);
  if (!place) return place.errors();
  auto target = Target::start(plan->file);
  if (!target) return target.errors();
  auto preflight = run_preflight(*plan, target->urls(), random_hex(kSaltDigits), clock_, redactor_);
  if (!preflight) return preflight.errors();
  auto loaded = load(*plan, *preflight, place->path());
  target->stop();
  if (!loaded) return loaded.errors();
  return summarize(place->path());
}

}  // namespace tokometer

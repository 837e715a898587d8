#include "engine/target.hpp"

#include <filesystem>
#include <string_view>
#include <utility>

namespace tokometer {
namespace {

constexpr int64_t kStartNs = 10'000'000'000;
constexpr int64_t kGraceNs = 3'000'000'000;
constexpr std::string_view kReady = "READY ";

}  // namespace

Result<Target> Target::start(const RunFile& file) {
  Target target;
  if (!file.target.simulate) {
    target.urls_ = file.target.urls;
    return target;
  }
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "tokometer-sim";
  auto child = ChildProcess::start(
      {program.string(), "--port", "0", "--exit-with-stdin", "--options", file.target.sim_options_json},
      {.quiet_stderr = true});
  if (!child) return Error{"target.sim: the simulator does not start: " + child.error().message};
  auto line = child->read_line(kStartNs);
  if (!line) return Error{"target.sim: the simulator does not answer: " + line.error().message};
  if (!line->starts_with(kReady))
    return Error{"target.sim: the simulator said \"" + *line + "\" in place of READY"};
  target.urls_ = {line->substr(kReady.size())};
  target.simulator_.emplace(std::move(*child));
  return target;
}

void Target::stop() {
  if (simulator_) simulator_->stop(kGraceNs);
  simulator_.reset();
}

}  // namespace tokometer

// The short runs of a self-test: each the real engine on a generated run file, with the simulator as a child.
// All their files lie in one scratch directory, which goes away with this object. Main thread;
// block_signals() was called before.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "cli/fresh_directory.hpp"
#include "cli/options.hpp"
#include "engine/plan.hpp"
#include "engine/preflight.hpp"
#include "metrics/summary.hpp"

namespace tokometer {

class SelfTestRuns {
 public:
  // Below the system's folder for temporary files.
  static Result<SelfTestRuns> make(const CommandLine& line);

  // Loads, and reduces the records. Errors: a plugin, the simulator or the disk failed; or a signal came,
  // which stopped_by() then names.
  Result<Summary> run(const std::string& name, const std::string& run_file);

  // Sleeps so long, unless a signal comes; false: one came.
  bool rest(int64_t duration_ns);

  int stopped_by() const { return stopped_by_; }  // 0: nobody

 private:
  SelfTestRuns(const CommandLine& line, FreshDirectory directory)
      : line_(line), directory_(std::move(directory)) {}
  Result<void> load(const Plan& plan, const std::vector<Preflight>& preflights,
                    const std::filesystem::path& place);
  bool take_signal();

  const CommandLine& line_;
  FreshDirectory directory_;
  const SteadyClock clock_;
  Redactor redactor_;
  int stopped_by_ = 0;
};

}  // namespace tokometer

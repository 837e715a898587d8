// The server that the run file asks us to start: `target: sim` runs tokometer-sim as a child on 127.0.0.1, on
// a free port. It ends with this object, and with this process however that ends (its stdin closes).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"
#include "config/run_file.hpp"

namespace tokometer {

class Target {
 public:
  // Starts the simulator if the run file says so; else only takes the URLs. Errors: the simulator's own
  // words.
  static Result<Target> start(const RunFile& file);

  const std::vector<std::string>& urls() const noexcept { return urls_; }  // at least one

  // Ends the simulator, if there is one.
  void stop();

 private:
  Target() = default;
  std::vector<std::string> urls_;
  std::optional<ChildProcess> simulator_;
};

}  // namespace tokometer

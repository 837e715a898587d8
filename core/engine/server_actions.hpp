// What the run file lets a run do to its servers: load adapters and start the servers' own profiler before
// the load, and put both back after it. Each is a list of probes that the processor's profile names.
// Blocking, main thread or preflight's; never while measuring.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "engine/preflight.hpp"

namespace tokometer {

// What the run file asks and the profile has no probes for.
Result<void> check_actions(const RunFile& file, const Profile& profile);

// Each adapter with a path, on every server, if the run file says so. `found` remembers what was loaded, also
// when one fails.
Result<void> load_adapters(const RunFile& file, Preflight& found);
// On every server, if the run file says so.
Result<void> start_profiler(const RunFile& file, Preflight& found);

// Stops the profiler and unloads what was loaded. All of it is tried; what failed comes back.
std::vector<Error> put_back(const RunFile& file, const Preflight& found);
// For all workloads that preflight came to.
std::vector<Error> put_back(const Plan& plan, const std::vector<Preflight>& found);

}  // namespace tokometer

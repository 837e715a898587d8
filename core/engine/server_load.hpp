// How busy the servers say they are: by their metrics pages, where the processor's profile knows the names.
// Blocking; between two points of a sweep, never while measuring.
#pragma once

#include <optional>

#include "config/run_file.hpp"
#include "engine/preflight.hpp"

namespace tokometer {

// Requests that run or wait there, all servers together. None: nobody says.
std::optional<double> requests_at_servers(const RunFile& file, const Preflight& found);

}  // namespace tokometer

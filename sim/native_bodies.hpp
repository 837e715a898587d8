// The requests of servers' own routes, said in the words of /v1/completions, so that one reader checks them
// all. Pure.
#pragma once

#include <optional>
#include <string>

#include "sim/http.hpp"
#include "sim/options.hpp"

namespace tokometer::sim {

// Is `path` a route of the dialect's own that generates?
bool is_native_path(Dialect dialect, std::string_view path);

// The body of a request to such a route as one of /v1/completions. Nothing: it is no JSON object.
std::optional<std::string> as_completion(Dialect dialect, const Request& request);

}  // namespace tokometer::sim

// Options against the schema, as far as the schema's subset of JSON Schema goes. The core checks a run file's
// target.sim with its own code; this is the simulator's, which links nothing of the core but base. Pure
// functions.
#pragma once

#include <string>
#include <string_view>
#include <tokometer/json.hpp>
#include <vector>

#include "base/error.hpp"

namespace tokometer::sim {

// Checks an object of options; durations in it become seconds. Appends what is wrong, with the nearest names.
void check_options(const tkm::Json& schema, tkm::Json& options, std::vector<Error>& errors);

// A value as JSON, safe to print.
std::string shown(const tkm::Json& value);
// ", did you mean NAME?", or nothing where no name is near.
std::string meant(std::string_view word, const std::vector<std::string>& names);
std::vector<std::string> keys_of(const tkm::Json& object);

}  // namespace tokometer::sim

// A metrics page in Prometheus' text form: what a profile's quantity reads there. Pure; the caller fetches.
#pragma once

#include <optional>
#include <string_view>

#include "plugin/profile.hpp"

namespace tokometer {

// By the first candidate that has a sample; none: no candidate has.
std::optional<double> read_quantity(std::string_view page, const Quantity& quantity);

}  // namespace tokometer

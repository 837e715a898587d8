// Facts about this machine and this program that the manifest records, and the two things a run takes from
// the outside world: the wall clock's label and a random word.
#pragma once

#include <cstddef>
#include <string>

#include "metrics/manifest.hpp"

namespace tokometer {

inline constexpr const char* kToolVersion = TOKOMETER_VERSION;

// hostname, kernel, cpu, distribution, cores, memory; empty or 0 where the system does not say.
Manifest::Host host_facts();

// GNU build id of the running program, hex; empty: linked without one.
std::string own_build_id();

// "2026-11-22T04:36:01Z"
std::string utc_now();

// `digits` hex digits from the system's random device.
std::string random_hex(size_t digits);

}  // namespace tokometer

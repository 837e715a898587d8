// The resolved form of a run file with workloads: what all have in common once, the rest with each. Read
// again, it gives the same workloads. Used by workloads.cpp alone.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "config/run_file.hpp"
#include "config/yaml.hpp"

namespace tokometer {

// What a workload may have of its own.
inline constexpr std::array<const char*, 6> kWorkloadSections{"model",   "processor", "request",
                                                              "dataset", "load",      "slo"};

// Of the phases as they are written, or as they are named without a name.
std::vector<std::string> phase_names(const Node& root);

// `files`: each with the resolved form of its own tree and its name.
std::string resolve_workloads(const Node& root, const std::vector<RunFile>& files);

}  // namespace tokometer

// Workloads side by side: a run file that has `workloads` is read as several, one for each of them, in which
// its own keys stand over those of the run. So every rule of the run file holds for each. Used by
// run_file.cpp alone.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "config/yaml.hpp"

namespace tokometer {

struct WorkloadTree {
  std::string name;
  Node root;  // a run file; its `workloads` still stand in it, for the schema
};

// Empty: there are none, or none that can be read. Phases in which a workload is held back are missing in its
// tree; the others have their names. Faults that the schema tells are not told here.
std::vector<WorkloadTree> workload_trees(const Node& root, std::vector<Error>& faults);

// The run file of them all, from what was read of the trees, in their order.
RunFile join_workloads(const Node& root, const std::vector<WorkloadTree>& trees, std::vector<RunFile> files);

}  // namespace tokometer

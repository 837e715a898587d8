// The one number that says whether two runs put the same load: the same requests, in the same order, at the
// same scheduled times. make_plan() makes it; main thread, before the run.
//
// In it: seed, dataset (contents of files, not their paths), rows, request, and of each phase its load,
// limits and first scheduled times. Not in it: target, tags, output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/plan.hpp"

namespace tokometer {

// The files that the options of a dataset or tokenizer name: a changed file is another run. A file that
// cannot be read stays without a digest: the component itself says what is wrong with it.
std::vector<Manifest::DataFile> find_data_files(const Component& component, const std::string& options_json);

// `arrivals`: the first times of each phase, as first_arrivals() gives them; plan.data_files and
// plan.tokenizer_files are filled.
std::string workload_hash(const WorkloadPlan& plan, const std::vector<std::vector<int64_t>>& arrivals);

// Of all of them, whose hashes are known, and of the order of the phases. Of a single one: its own.
std::string plan_hash(const Plan& plan);

}  // namespace tokometer

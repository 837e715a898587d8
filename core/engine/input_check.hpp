// What can be refused before a byte is sent and is not in the run file alone: options that a plugin refuses,
// certificates that cannot be read, what the processor cannot do, data that is missing or bad. Blocks: a
// finite dataset is read whole.
#pragma once

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/plan.hpp"
#include "plugin/profile.hpp"

namespace tokometer {

Result<void> check_inputs(const Plan& plan);

// What the run file asks and the processor cannot do.
Result<void> check_features(const RunFile& file, const Profile& profile);

// Where a load takes its times from the data: does each record have one? Not known, and no error, where the
// data's file is not here to be read.
Result<void> check_arrivals(const Plan& plan);

}  // namespace tokometer

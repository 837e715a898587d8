// What the records say of a phase at its begin: its plan, as the report needs it to count again.
#pragma once

#include "engine/plan.hpp"
#include "metrics/record_log.hpp"

namespace tokometer {

// Fills all but the phase's name, workload and time.
void say_plan(const Plan& plan, const PhasePlan& phase, PhaseLine& line);

}  // namespace tokometer

// What a sweep's points are as phases. The points themselves are chosen by sweep.hpp.
#pragma once

#include <string>
#include <vector>

#include "engine/plan.hpp"

namespace tokometer {

// Errors: a pattern that is missing or that a sweep cannot step through.
Result<SweepPlan> plan_sweep(const RunFile::Sweep& sweep, Registry& registry);

// The points that do not depend on results, so that plan, hash and checks can speak of them.
std::vector<PhasePlan> known_points(const WorkloadPlan& plan);

PhasePlan plan_point(const WorkloadPlan& plan, const SweepPoint& point);

// A line for `tokometer plan`.
std::string describe_sweep(const WorkloadPlan& plan);

}  // namespace tokometer

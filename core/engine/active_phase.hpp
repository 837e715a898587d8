// A workload in a phase that runs or drains, and the workload itself: what the load driver keeps of them. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <utility>

#include "engine/backlog_watch.hpp"
#include "engine/failure_budget.hpp"
#include "engine/load_driver.hpp"
#include "engine/request_draws.hpp"

namespace tokometer {

struct LoadDriver::Lane {
  Lane(size_t workload, const WorkloadPlan& workload_plan, const RunContext& shared, Feeder& data)
      : index(workload), plan(workload_plan), context(shared), feeder(data), draws(workload_plan.file) {}

  const size_t index;  // of the plan's workloads
  const WorkloadPlan& plan;
  const RunContext& context;
  Feeder& feeder;
  RequestDraws draws;
  FailureBudget budget;
  uint64_t planned = 0;  // requests so far, whatever became of them
};

struct LoadDriver::Active {
  Active(size_t number, const Part& part, Pattern&& made, int64_t start,
         PhaseScheduler::NextArrival next_arrival)
      : index(number),
        lane(part.lane),
        plan(part.phase),
        pattern(std::move(made)),
        scheduler(pattern, part.phase.limits, std::move(next_arrival)),
        planned_end_ns(part.phase.file.duration_ns),
        start_ns(start),
        counted_to_ns(start) {}

  size_t index;                            // of totals and facts
  size_t first_index = 0, parts = 1;       // of those that began with it, itself among them
  std::optional<uint64_t> phase_requests;  // of all of them, where each has a count
  Lane& lane;
  const PhasePlan& plan;
  Pattern pattern;
  PhaseScheduler scheduler;
  std::optional<int64_t> planned_end_ns;  // of the window
  int64_t start_ns;
  int64_t counted_to_ns;  // the user integrals are complete up to here
  // Until the next turn of a session is due. Of turns due at one time, the session that began first goes
  // first.
  struct Thinking {
    int64_t until_ns;
    std::shared_ptr<Session> session;
    bool operator<(const Thinking& other) const {
      return until_ns != other.until_ns ? until_ns > other.until_ns : session->number > other.session->number;
    }
  };
  std::deque<Planned> held;
  std::priority_queue<Thinking> thinking;
  uint64_t in_flight = 0;
  std::optional<BacklogWatch> watch;  // of limits.stop
  bool load_over = false;             // its line is written
  bool cancelled = false;             // what was in flight then
  std::optional<int64_t> drains_since_ns;
};

}  // namespace tokometer

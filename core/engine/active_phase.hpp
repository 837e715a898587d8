// A phase that runs or drains: what the load driver keeps of it. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <utility>

#include "engine/backlog_watch.hpp"
#include "engine/load_driver.hpp"

namespace tokometer {

struct LoadDriver::Active {
  Active(size_t phase, const PhasePlan& phase_plan, Pattern&& made, int64_t start,
         PhaseScheduler::NextArrival next_arrival)
      : index(phase),
        plan(phase_plan),
        pattern(std::move(made)),
        scheduler(pattern, phase_plan.limits, std::move(next_arrival)),
        planned_end_ns(phase_plan.file.duration_ns),
        start_ns(start),
        counted_to_ns(start) {}

  size_t index;
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
};

}  // namespace tokometer

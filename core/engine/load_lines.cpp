// Of the load driver: what it tells the records and the display.
#include <memory>
#include <utility>

#include "engine/active_phase.hpp"
#include "engine/load_driver.hpp"
#include "engine/phase_line.hpp"

namespace tokometer {
namespace {

constexpr int64_t kTickAnswerNs = 20'000'000;  // for the workers' part of a tick

void say_progress(const PhaseTotals& totals, WorkloadProgress& progress) {
  progress.name = totals.workload;
  progress.ok = totals.ok;
  progress.failed = totals.failed;
  progress.cancelled = totals.cancelled;
  progress.in_flight = totals.issued - totals.ok - totals.failed - totals.cancelled;
}

}  // namespace

void LoadDriver::write_phase_line(const Active& active, PhaseLine::Event event) {
  auto line = std::make_unique<PhaseLine>();
  line->phase = active.plan.file.name;
  line->workload = active.lane.context.workload;
  line->event = event;
  line->at_ns = (event == PhaseLine::Event::begin ? active.start_ns : now_ns()) - context_.start_ns;
  if (event == PhaseLine::Event::begin) {
    say_plan(plan_, active.plan, *line);
  } else if (event == PhaseLine::Event::load_end && active.scheduler.duration_ns() != active.planned_end_ns) {
    line->duration_ns = active.scheduler.duration_ns();
  }
  writer_.push(std::move(line));
}

void LoadDriver::write_tick() {
  auto line = std::make_unique<TickLine>();
  for (const PhaseTotals& totals : totals_) {
    if (totals.planned > 0) line->totals.push_back(totals);
  }
  if (next_seq_ > 0) line->last_seq = next_seq_ - 1;
  line->in_flight = in_flight_;
  writer_.push(std::move(line));
}

// The workers are asked first and the line is made when they have had time to answer.
void LoadDriver::serve_ticks(int64_t now) {
  if (now >= next_tick_ns_) {
    for (const auto& worker : workers_) worker->ask_for_tick();
    next_tick_ns_ = now + TickCollector::kPeriodNs;
    tick_line_ns_ = now + kTickAnswerNs;
  } else if (now >= tick_line_ns_) {
    write_tick();
    tick_line_ns_ = INT64_MAX;
  }
}

void LoadDriver::warn(std::string id, std::string text) {
  writer_.push(WarnLine{now_ns() - context_.start_ns, std::move(id), std::move(text)});
}

void LoadDriver::publish(const std::vector<Active*>& group) {
  const int64_t now = now_ns();
  serve_ticks(now);
  if (group.empty()) return;
  const Active& front = *group.front();
  const std::lock_guard lock(mutex_);
  progress_.phase = front.plan.file.name;
  progress_.elapsed_ns = now - front.start_ns;
  progress_.duration_ns = front.planned_end_ns;
  if (progress_.duration_ns && progress_.elapsed_ns > *progress_.duration_ns) {
    progress_.duration_ns = front.scheduler.duration_ns();  // slow answers made it longer
  }
  progress_.point = points_.size();
  progress_.points = most_points_;
  progress_.requests = front.phase_requests;
  progress_.planned = progress_.ok = progress_.failed = progress_.cancelled = 0;
  progress_.workloads.resize(front.parts > 1 ? front.parts : 0);  // strings keep their room
  for (size_t i = front.first_index; i < front.first_index + front.parts; ++i) {
    const PhaseTotals& totals = totals_[i];
    progress_.planned += totals.planned;
    progress_.ok += totals.ok;
    progress_.failed += totals.failed;
    progress_.cancelled += totals.cancelled;
    if (front.parts > 1) say_progress(totals, progress_.workloads[i - front.first_index]);
  }
  progress_.in_flight = in_flight_;
  progress_.held = 0;
  for (const auto& each : active_) progress_.held += each->held.size();
  progress_.draining = front.scheduler.load_ended();
}

Progress LoadDriver::progress() const {
  Progress progress;
  {
    const std::lock_guard lock(mutex_);
    progress = progress_;
  }
  progress.live = writer_.live();
  for (WorkloadProgress& workload : progress.workloads)
    workload.ttft_p50_ns = writer_.ttft_p50_ns(workload.name);
  return progress;
}

}  // namespace tokometer

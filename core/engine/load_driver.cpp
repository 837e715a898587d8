#include "engine/load_driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "engine/active_phase.hpp"
#include "engine/phase_line.hpp"
#include "engine/sweep_plan.hpp"
#include "plugin/crash.hpp"

namespace tokometer {
namespace {

constexpr int64_t kWakeAheadNs = 2'000'000;     // of a release; kLookAheadNs reaches beyond it: batches
constexpr int64_t kPhaseLeadNs = 10'000'000;    // from the decision to begin a phase to its time 0
constexpr int64_t kPollNs = 100'000'000;        // longest sleep: stop orders and ticks
constexpr int64_t kRecordsPollNs = 20'000'000;  // between looks at what has been written
constexpr int64_t kTickAnswerNs = 20'000'000;   // for the workers' part of a tick

}  // namespace

LoadDriver::LoadDriver(const Plan& plan, const RunContext& context,
                       std::vector<std::unique_ptr<Worker>>& workers, Feeder& feeder, WriterThread& writer,
                       Mailbox<Completion>& completions, TickCollector& ticks,
                       std::vector<std::pair<std::string, std::string>> warnings, PointJudge judge,
                       ServerLoad servers_have)
    : plan_(plan),
      context_(context),
      workers_(workers),
      host_(workers.size() == 1 ? workers.front().get() : nullptr),
      feeder_(feeder),
      writer_(writer),
      completions_(completions),
      ticks_(ticks),
      warnings_(std::move(warnings)),
      judge_(std::move(judge)),
      servers_have_(std::move(servers_have)),
      draws_(plan.file),
      drain_limit_ns_(plan.file.limits.drain_timeout_ns) {}

LoadDriver::~LoadDriver() = default;

void LoadDriver::watch_threads() {
  if (host_ == nullptr) ticks_.add_thread("scheduler", gettid(), false);
  for (size_t i = 0; i < workers_.size(); ++i) {
    while (workers_[i]->thread_id() == 0) std::this_thread::yield();  // it is just being started
    ticks_.add_thread("io-" + std::to_string(i), workers_[i]->thread_id(), true);
  }
  while (writer_.thread_id() == 0) std::this_thread::yield();
  ticks_.add_thread("writer", writer_.thread_id(), false);
}

void LoadDriver::run() {
  watch_threads();
  feeder_.wait_until_full();
  for (const auto& [id, text] : warnings_) warn(id, text);
  if (plan_.sweep) {
    run_sweep();
  } else {
    for (const PhasePlan& phase : plan_.phases) {
      if (!no_more_load_) run_phase(phase, &phase != &plan_.phases.back());
    }
  }
  while (!active_.empty()) drain(*active_.front());  // phases that overlapped the last one
}

Result<std::unique_ptr<LoadDriver::Active>> LoadDriver::open_phase(const PhasePlan& phase) {
  auto pattern = make_pattern(phase);
  if (!pattern) return pattern.errors();
  const size_t index = totals_.size();
  totals_.push_back({});
  totals_.back().workload = context_.workload;
  totals_.back().phase = phase.file.name;
  const bool has_own_salt = !context_.salt.empty() && index > 0;
  facts_.push_back({phase.file.name, context_.salt + (has_own_salt ? "-" + std::to_string(index + 1) : "")});
  PhaseScheduler::NextArrival next_arrival;
  if (phase.follows_data) next_arrival = [this] { return this->next_arrival(); };
  auto active = std::make_unique<Active>(index, phase, std::move(*pattern), now_ns() + kPhaseLeadNs,
                                         std::move(next_arrival));
  const bool may_stop = plan_.file.limits.stop == RunFile::Limits::Stop::saturated && !plan_.sweep;
  if (may_stop && phase.open_loop && !phase.unsteady) active->watch.emplace(phase.file.warmup.ns);
  return active;
}

void LoadDriver::preconnect(const PhasePlan& phase) {
  if (!context_.keep_alive) return;
  const uint64_t wanted = std::min(first_connections(phase), plan_.max_in_flight);
  const size_t each = (wanted + workers_.size() - 1) / workers_.size();
  std::atomic<size_t> left = workers_.size();
  for (const auto& worker : workers_) {
    worker->preconnect(each, [&](const Result<void>&) {  // a refusal shows in the requests, with its class
      if (--left == 0) interrupt();
    });
  }
  while (left > 0) sleep_until(now_ns() + kPollNs);
}

void LoadDriver::run_phase(const PhasePlan& phase, bool more_follow) {
  preconnect(phase);
  auto opened = open_phase(phase);
  if (!opened) return end_run("plugin", opened.error().message);
  active_.push_back(std::move(*opened));
  Active& active = *active_.back();
  write_phase_line(active, PhaseLine::Event::begin);
  while (!active.scheduler.load_ended()) turn(active);
  if (!active.scheduler.fault().empty()) end_run("deadlock", active.scheduler.fault());
  for (const int64_t at_ns : active.scheduler.stop()) {
    if (no_more_load_) not_issued(active, active.start_ns + at_ns, not_issued_class_);
  }
  lose_thinking(active, no_more_load_ ? not_issued_class_ : "stopped");
  write_phase_line(active, PhaseLine::Event::load_end);
  const bool overlap = active.plan.file.drain == RunFile::Phase::Drain::none && more_follow;
  if (!overlap || no_more_load_) drain(active);
}

// Points as phases, one by one; between two of them nothing runs and the records of the last one are read.
void LoadDriver::run_sweep() {
  SweepPlanner planner(*plan_.file.sweep, plan_.sweep->pattern, plan_.sweep->whole);
  most_points_ = planner.planned();
  while (!no_more_load_) {
    const auto point = planner.next();
    if (!point) break;
    if (!points_.empty()) wait_for_servers();
    if (no_more_load_) break;
    const uint64_t from_byte = writer_.file_bytes();
    points_.push_back(plan_point(plan_, *point));
    run_phase(points_.back(), false);
    const auto result = result_of(point->name, from_byte);
    if (!result) return;
    planner.ended(*result);
  }
  if (planner.fault().empty()) return;
  warn("sweep", planner.fault());
  fault_ = planner.fault();
}

std::optional<PointResult> LoadDriver::result_of(const std::string& point, uint64_t from_byte) {
  wait_for_records();
  std::optional<Result<PointResult>> result;
  std::atomic<bool> is_read{false};
  std::thread reader([&] {
    const SignalStack signal_stack;
    result = judge_(point, from_byte);
    is_read = true;
    interrupt();
  });
  while (!is_read) pass_time(now_ns() + kPollNs);
  reader.join();
  if (*result) return **result;
  end_run("disk", result->error().message);
  return std::nullopt;
}

// Until the lines of all requests so far are in the file. A reply may still come in for a second behind its
// logical end.
void LoadDriver::wait_for_records() {
  constexpr int64_t kLongestNs = 5'000'000'000;
  const int64_t begin_ns = now_ns();
  const auto are_there = [this] { return writer_.request_lines() >= next_seq_ && writer_.has_written_all(); };
  while (!are_there() && now_ns() - begin_ns < kLongestNs) pass_time(now_ns() + kRecordsPollNs);
}

// Between two points: signals are heard and ticks go on.
void LoadDriver::pass_time(int64_t until_ns) {
  take_completions();
  check_stop();
  serve_ticks(now_ns());
  sleep_until(std::min(until_ns, tick_line_ns_));
}

void LoadDriver::turn(Active& active) {
  take_completions();
  check_stop();
  if (no_more_load_) return stop_load(active, not_issued_class_);
  if (writer_.has_fault()) return end_run("disk", writer_.fault());
  if (writer_.backlog_bytes() > WriterThread::kBacklogLimitBytes)
    return end_run("disk", "the disk is too slow");
  release_held(active);
  release_turns(active);
  release_due(active);
  const int64_t now = now_ns();
  watch_backlog(active, now);
  count_users(active, now);
  publish(active);
  // Before its window's end an open loop need not hear of completions at once, unless they lead to a next
  // turn: it looks at each of its own wake-ups.
  const auto window_ns = active.scheduler.duration_ns();
  const bool in_window = window_ns && now - active.start_ns < *window_ns;
  wants_completions_.store(
      !active.plan.open_loop || !in_window || !active.held.empty() || active.scheduler.turns_to_come() > 0,
      std::memory_order_relaxed);
  const bool stands_still =
      plan_.file.limits.overload == RunFile::Limits::Overload::block && !active.held.empty();
  const int64_t next_ns = stands_still ? INT64_MAX : active.scheduler.next_time_ns();
  int64_t wake_ns = next_ns == INT64_MAX ? INT64_MAX : active.start_ns + next_ns - kWakeAheadNs;
  if (!stands_still && !active.thinking.empty())
    wake_ns = std::min(wake_ns, active.thinking.top().until_ns - kWakeAheadNs);
  if (!active.scheduler.load_ended()) sleep_until(std::min({wake_ns, now + kPollNs, tick_line_ns_}));
}

void LoadDriver::watch_backlog(Active& active, int64_t now) {
  if (!active.watch) return;
  active.watch->note(now - active.start_ns, active.in_flight + active.held.size());
  if (!active.watch->is_hopeless()) return;
  end_run("saturated", "limits.stop: the backlog grows and grows; the rate is above what the server can do");
}

void LoadDriver::end_run(std::string reason, std::string fault) {
  if (no_more_load_) return;
  no_more_load_ = true;
  reason_ = std::move(reason);
  fault_ = std::move(fault);
}

void LoadDriver::check_stop() {
  const std::lock_guard lock(mutex_);
  if (!order_) return;
  ordered_ = true;
  if (!no_more_load_) {
    not_issued_class_ = "signal";
    end_run(order_->reason, "");
  }
  cancel_now_ = cancel_now_ || order_->cancel;
  if (order_->drain_limit_ns) drain_limit_ns_ = std::min(drain_limit_ns_, *order_->drain_limit_ns);
}

void LoadDriver::take_completions() {
  completions_.take(taken_);
  for (const Completion& completion : taken_) {
    PhaseTotals& totals = totals_[completion.phase];
    ++(completion.status == Status::ok       ? totals.ok
       : completion.status == Status::failed ? totals.failed
                                             : totals.cancelled);
    --in_flight_;
    if (const auto spent = budget_.note(completion))
      end_run(std::string(spent->reason), std::string(spent->fault));
    for (const auto& active : active_) {
      if (active->index != completion.phase) continue;
      --active->in_flight;
      if (active->watch && completion.status == Status::ok) {
        active->watch->answered(completion.end_ns - completion.scheduled_ns);
      }
      end_request(*active, completion);
    }
  }
}

void LoadDriver::drain(Active& active) {
  const int64_t begin_ns = now_ns();
  bool cancelled = false;
  wants_completions_.store(true, std::memory_order_relaxed);
  if (active.plan.file.drain == RunFile::Phase::Drain::cancel) cancel_now_ = true;
  while (active.in_flight > 0 || !active.held.empty()) {
    take_completions();
    check_stop();
    if (no_more_load_) stop_load(active, not_issued_class_);
    if (!cancelled && !cancel_now_) release_held(active);
    if (!cancelled && (cancel_now_ || now_ns() - begin_ns >= drain_limit_ns_)) {
      cancelled = true;
      stop_load(active, "stopped");
      for (const auto& worker : workers_) {
        worker->cancel(static_cast<uint32_t>(active.index), no_more_load_ ? "stop" : "drain");
      }
    }
    count_users(active, now_ns());
    publish(active);
    if (active.in_flight > 0) sleep_until(now_ns() + kPollNs);
  }
  if (!ordered_) cancel_now_ = false;
  end_phase(active);
}

void LoadDriver::end_phase(Active& active) {
  count_users(active, now_ns());
  write_phase_line(active, PhaseLine::Event::end);
  const auto same = [&](const std::unique_ptr<Active>& other) { return other.get() == &active; };
  active_.erase(std::find_if(active_.begin(), active_.end(), same));
}

void LoadDriver::count_users(Active& active, int64_t now) {
  if (active.plan.open_loop || now <= active.counted_to_ns || active.scheduler.load_ended()) return;
  const int64_t span_ns = now - active.counted_to_ns;
  active.counted_to_ns = now;
  totals_[active.index].wanted_user_ns += span_ns * static_cast<int64_t>(active.scheduler.users());
  totals_[active.index].active_user_ns += span_ns * static_cast<int64_t>(active.scheduler.active());
}

void LoadDriver::write_phase_line(const Active& active, PhaseLine::Event event) {
  auto line = std::make_unique<PhaseLine>();
  line->phase = active.plan.file.name;
  line->workload = context_.workload;
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

void LoadDriver::publish(const Active& active) {
  const int64_t now = now_ns();
  serve_ticks(now);
  const PhaseTotals& totals = totals_[active.index];
  const std::lock_guard lock(mutex_);
  progress_.phase = active.plan.file.name;
  progress_.elapsed_ns = now - active.start_ns;
  progress_.duration_ns = active.planned_end_ns;
  if (progress_.duration_ns && progress_.elapsed_ns > *progress_.duration_ns) {
    progress_.duration_ns = active.scheduler.duration_ns();  // slow answers made it longer
  }
  progress_.point = points_.size();
  progress_.points = most_points_;
  progress_.requests = active.plan.file.requests;
  progress_.planned = totals.planned;
  progress_.ok = totals.ok;
  progress_.failed = totals.failed;
  progress_.cancelled = totals.cancelled;
  progress_.in_flight = in_flight_;
  progress_.held = 0;
  for (const auto& each : active_) progress_.held += each->held.size();
  progress_.draining = active.scheduler.load_ended();
}

Progress LoadDriver::progress() const {
  Progress progress;
  {
    const std::lock_guard lock(mutex_);
    progress = progress_;
  }
  progress.live = writer_.live();
  return progress;
}

void LoadDriver::sleep_until(int64_t at_ns) {
  if (host_ != nullptr) return void(host_->serve(at_ns));
  std::unique_lock lock(mutex_);
  const auto until = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(at_ns));
  woken_.wait_until(lock, until, [this] { return wake_; });
  wake_ = false;
}

void LoadDriver::wake() {
  if (wants_completions_.load(std::memory_order_relaxed)) interrupt();
}

void LoadDriver::interrupt() {
  if (host_ != nullptr) return host_->interrupt();
  {
    const std::lock_guard lock(mutex_);
    wake_ = true;
  }
  woken_.notify_one();
}

void LoadDriver::stop(const StopOrder& order) {
  {
    const std::lock_guard lock(mutex_);
    const bool cancel = order.cancel || (order_ && order_->cancel);
    if (!order_) order_ = order;
    if (order.drain_limit_ns) order_->drain_limit_ns = order.drain_limit_ns;
    order_->cancel = cancel;
  }
  interrupt();
}

}  // namespace tokometer

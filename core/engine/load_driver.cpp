#include "engine/load_driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "engine/active_phase.hpp"

namespace tokometer {
namespace {

constexpr int64_t kWakeAheadNs = 2'000'000;   // of a release; kLookAheadNs reaches beyond it: batches
constexpr int64_t kPhaseLeadNs = 10'000'000;  // from the decision to begin a phase to its time 0
constexpr int64_t kPollNs = 100'000'000;      // longest sleep: stop orders and ticks

}  // namespace

LoadDriver::LoadDriver(const Plan& plan, const std::vector<RunContext>& contexts,
                       std::vector<std::unique_ptr<Worker>>& workers,
                       std::vector<std::unique_ptr<Feeder>>& feeders, WriterThread& writer,
                       Mailbox<Completion>& completions, TickCollector& ticks,
                       std::vector<std::pair<std::string, std::string>> warnings, PointJudge judge,
                       ServerLoad servers_have)
    : plan_(plan),
      context_(contexts.front()),
      workers_(workers),
      host_(workers.size() == 1 ? workers.front().get() : nullptr),
      writer_(writer),
      completions_(completions),
      ticks_(ticks),
      warnings_(std::move(warnings)),
      judge_(std::move(judge)),
      servers_have_(std::move(servers_have)),
      drain_limit_ns_(plan.file.limits.drain_timeout_ns) {
  for (size_t i = 0; i < plan.workloads.size(); ++i)
    lanes_.push_back(std::make_unique<Lane>(i, plan.workloads[i], contexts[i], *feeders[i]));
}

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
  for (const auto& lane : lanes_) lane->feeder.wait_until_full();
  for (const auto& [id, text] : warnings_) warn(id, text);
  if (plan_.sweep()) {
    run_sweep();
  } else {
    for (const RunFile::Phase& phase : plan_.file.phases) {
      if (!no_more_load_) run_phase(parts_of(phase.name), &phase != &plan_.file.phases.back());
    }
  }
  std::vector<Active*> rest;  // of phases that overlapped the last one
  for (const auto& active : active_) rest.push_back(active.get());
  drain(std::move(rest));
}

std::vector<LoadDriver::Part> LoadDriver::parts_of(const std::string& phase) {
  std::vector<Part> parts;
  for (const auto& lane : lanes_) {
    const PhasePlan* plan = lane->plan.find_phase(phase);
    if (plan != nullptr) parts.push_back({*lane, *plan});
  }
  return parts;
}

// Empty: it did not work, and the run ends.
std::vector<std::unique_ptr<LoadDriver::Active>> LoadDriver::open_phase(const std::vector<Part>& parts) {
  const int64_t start_ns = now_ns() + kPhaseLeadNs;
  std::vector<std::unique_ptr<Active>> opened;
  for (const Part& part : parts) {
    auto active = open_part(part, start_ns);
    if (active == nullptr) return {};
    opened.push_back(std::move(active));
  }
  std::optional<uint64_t> requests = 0;
  for (const Part& part : parts)
    requests = requests && part.phase.file.requests ? std::optional(*requests + *part.phase.file.requests)
                                                    : std::nullopt;
  for (const auto& active : opened) {
    active->first_index = opened.front()->index;
    active->parts = opened.size();
    active->phase_requests = requests;
  }
  return opened;
}

std::unique_ptr<LoadDriver::Active> LoadDriver::open_part(const Part& part, int64_t start_ns) {
  const PhasePlan& phase = part.phase;
  const RunContext& context = part.lane.context;
  auto pattern = make_pattern(phase);
  if (!pattern) {
    end_run("plugin", pattern.error().message);
    return nullptr;
  }
  const size_t index = totals_.size();
  totals_.push_back({});
  totals_.back().workload = context.workload;
  totals_.back().phase = phase.file.name;
  const bool has_own_salt = !context.salt.empty() && index > 0;
  facts_.push_back({.workload = part.lane.index,
                    .name = phase.file.name,
                    .salt = context.salt + (has_own_salt ? "-" + std::to_string(index + 1) : "")});
  PhaseScheduler::NextArrival next_arrival;
  if (phase.follows_data) next_arrival = [this, &lane = part.lane] { return this->next_arrival(lane); };
  auto active = std::make_unique<Active>(index, part, std::move(*pattern), start_ns, std::move(next_arrival));
  const bool may_stop = plan_.file.limits.stop == RunFile::Limits::Stop::saturated && !plan_.sweep();
  if (may_stop && phase.open_loop && !phase.unsteady) active->watch.emplace(phase.file.warmup.ns);
  return active;
}

void LoadDriver::preconnect(const Part& part) {
  if (!part.lane.context.keep_alive) return;
  const uint64_t wanted = std::min(first_connections(part.phase), plan_.max_in_flight);
  const size_t each = (wanted + workers_.size() - 1) / workers_.size();
  std::atomic<size_t> left = workers_.size();
  for (const auto& worker : workers_) {
    worker->preconnect(part.lane.index, each, [&](const Result<void>&) {
      if (--left == 0) interrupt();  // a refusal shows in the requests, with its class
    });
  }
  while (left > 0) sleep_until(now_ns() + kPollNs);
}

void LoadDriver::run_phase(const std::vector<Part>& parts, bool more_follow) {
  for (const Part& part : parts) preconnect(part);
  std::vector<Active*> group;
  for (auto& active : open_phase(parts)) {
    group.push_back(active.get());
    active_.push_back(std::move(active));
    write_phase_line(*group.back(), PhaseLine::Event::begin);
  }
  if (group.empty()) return;
  const bool overlap = parts.front().phase.file.drain == RunFile::Phase::Drain::none && more_follow;
  const auto runs = [](const Active* active) { return !active->load_over; };
  while (std::any_of(group.begin(), group.end(), runs)) turn(group, overlap);
  if (!overlap || no_more_load_) drain(std::move(group));
}

void LoadDriver::end_load(Active& active) {
  if (!active.scheduler.fault().empty()) end_run("deadlock", about(active.lane, active.scheduler.fault()));
  for (const int64_t at_ns : active.scheduler.stop()) {
    if (no_more_load_) not_issued(active, active.start_ns + at_ns, not_issued_class_);
  }
  lose_thinking(active, no_more_load_ ? not_issued_class_ : "stopped");
  write_phase_line(active, PhaseLine::Event::load_end);
  active.load_over = true;
}

void LoadDriver::check_writer() {
  if (writer_.has_fault()) return end_run("disk", writer_.fault());
  if (writer_.backlog_bytes() > WriterThread::kBacklogLimitBytes) end_run("disk", "the disk is too slow");
}

// The last measured requests of one workload are to end under the load of all.
void LoadDriver::share_cooldown(const std::vector<Active*>& group) {
  if (group.size() == 1) return;
  for (Active* active : group) {
    const auto own_end_ns = active->scheduler.duration_ns();
    active->scheduler.others_measure(std::any_of(group.begin(), group.end(), [&](const Active* other) {
      return other != active && own_end_ns && other->scheduler.has_open_window() &&
             other->scheduler.duration_ns() <= own_end_ns;
    }));
  }
}

// A workload whose load has ended drains while others go on, unless the next phase begins over it.
void LoadDriver::turn(std::vector<Active*>& group, bool overlap) {
  take_completions();
  check_stop();
  if (!no_more_load_) check_writer();
  if (no_more_load_) {
    for (Active* active : group) stop_load(*active, not_issued_class_);
  }
  release_held(group);
  share_cooldown(group);
  for (Active* active : group) {
    if (active->load_over || no_more_load_) continue;
    release_turns(*active);
    release_due(*active);
  }
  const int64_t now = now_ns();
  int64_t until_ns = std::min(now + kPollNs, tick_line_ns_);
  bool wants = false, all_over = true;
  for (Active* active : group) {
    wants |= active->load_over && !active->held.empty();
    if (active->load_over) continue;
    if (!no_more_load_) watch_backlog(*active, now);
    count_users(*active, now);
    wants |= wants_completions(*active, now);
    until_ns = std::min(until_ns, wake_ns(*active));
    if (active->scheduler.load_ended()) end_load(*active);
    all_over &= active->load_over;
  }
  if (!overlap && !all_over) drain_ended(group);
  publish(group);
  wants_completions_.store(wants, std::memory_order_relaxed);
  if (!all_over) sleep_until(std::min(until_ns, tick_line_ns_));
}

// Before its window's end an open loop need not hear of completions at once, unless they lead to a next
// turn: it looks at each of its own wake-ups.
bool LoadDriver::wants_completions(const Active& active, int64_t now) const {
  const auto window_ns = active.scheduler.duration_ns();
  const bool in_window = window_ns && now - active.start_ns < *window_ns;
  return !active.plan.open_loop || !in_window || !active.held.empty() || active.scheduler.turns_to_come() > 0;
}

int64_t LoadDriver::wake_ns(const Active& active) const {
  const bool stands_still =
      plan_.file.limits.overload == RunFile::Limits::Overload::block && !active.held.empty();
  if (stands_still) return INT64_MAX;
  const int64_t next_ns = active.scheduler.next_time_ns();
  const int64_t release_ns = next_ns == INT64_MAX ? INT64_MAX : active.start_ns + next_ns - kWakeAheadNs;
  return active.thinking.empty() ? release_ns
                                 : std::min(release_ns, active.thinking.top().until_ns - kWakeAheadNs);
}

void LoadDriver::watch_backlog(Active& active, int64_t now) {
  if (!active.watch) return;
  active.watch->note(now - active.start_ns, active.in_flight + active.held.size());
  if (!active.watch->is_hopeless()) return;
  end_run("saturated", about(active.lane,
                             "limits.stop: the backlog grows and grows; the rate is above what the "
                             "server can do"));
}

void LoadDriver::end_run(std::string reason, std::string fault) {
  if (no_more_load_) return;
  no_more_load_ = true;
  reason_ = std::move(reason);
  fault_ = std::move(fault);
}

// Of several workloads, the sentence says which.
std::string LoadDriver::about(const Lane& lane, const std::string& sentence) const {
  return lanes_.size() > 1 ? "workload " + lane.context.workload + ": " + sentence : sentence;
}

void LoadDriver::check_stop() {
  const std::lock_guard lock(mutex_);
  if (!order_) return;
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
    Lane& lane = *lanes_[facts_[completion.phase].workload];
    if (const auto spent = lane.budget.note(completion))
      end_run(std::string(spent->reason), about(lane, std::string(spent->fault)));
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

void LoadDriver::drain(std::vector<Active*> group) {
  wants_completions_.store(true, std::memory_order_relaxed);
  while (!group.empty()) {
    take_completions();
    check_stop();
    for (Active* active : group) {
      if (no_more_load_) stop_load(*active, not_issued_class_);
      count_users(*active, now_ns());
    }
    release_held(group);
    publish(group);
    drain_ended(group);
    const auto waits = [](const Active* active) { return active->in_flight > 0; };
    if (std::any_of(group.begin(), group.end(), waits)) sleep_until(now_ns() + kPollNs);
  }
}

// Those whose load is over and which nothing is waited for any more leave the group.
void LoadDriver::drain_ended(std::vector<Active*>& group) {
  std::erase_if(group, [this](Active* active) {
    if (!active->load_over || !is_drained(*active)) return false;
    end_phase(*active);
    return true;
  });
}

bool LoadDriver::is_drained(Active& active) {
  const int64_t now = now_ns();
  if (!active.drains_since_ns) active.drains_since_ns = now;
  const bool is_due = cancel_now_ || active.plan.file.drain == RunFile::Phase::Drain::cancel ||
                      now - *active.drains_since_ns >= drain_limit_ns_;
  const auto is_empty = [&] { return active.in_flight == 0 && active.held.empty(); };
  if (active.cancelled || !is_due || is_empty()) return is_empty();
  active.cancelled = true;
  stop_load(active, "stopped");
  for (const auto& worker : workers_)
    worker->cancel(static_cast<uint32_t>(active.index), no_more_load_ ? "stop" : "drain");
  return is_empty();
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

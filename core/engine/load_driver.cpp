#include "engine/load_driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <queue>
#include <thread>
#include <utility>

#include <tokometer/json.hpp>

#include "engine/backlog_watch.hpp"
#include "engine/sweep_plan.hpp"
#include "plugin/crash.hpp"

namespace tokometer {
namespace {

constexpr int64_t kLookAheadNs = 5'000'000;  // releases are handed over this long before their time ...
constexpr int64_t kWakeAheadNs = 2'000'000;  // ... in batches: the thread wakes this long before the next one
constexpr int64_t kPhaseLeadNs = 10'000'000;    // from the decision to begin a phase to its time 0
constexpr int64_t kPollNs = 100'000'000;        // longest sleep: stop orders and ticks
constexpr int64_t kDataPollNs = 1'000'000;      // between looks at a queue of samples that has run dry
constexpr int64_t kRecordsPollNs = 20'000'000;  // between looks at what has been written
constexpr int64_t kTickAnswerNs = 20'000'000;   // for the workers' part of a tick
constexpr uint64_t kBudgetFailures = 20;        // so many failures in a row ...
constexpr int64_t kBudgetNs = 10'000'000'000;   // ... over so long end the run
constexpr uint64_t kPluginFailures = 10;
// In one turn: replies to the first of a thousand must not wait until the last is sent.
constexpr int kMostReleases = 32;

Span span_of(const RunFile::Span& span) {
  static constexpr std::array kKinds{Span::Kind::automatic, Span::Kind::none, Span::Kind::duration,
                                     Span::Kind::count};
  return {.kind = kKinds[static_cast<size_t>(span.kind)], .ns = span.ns, .count = span.count};
}

std::string_view overload_name(RunFile::Limits::Overload overload) {
  switch (overload) {
    case RunFile::Limits::Overload::queue:
      return "queue";
    case RunFile::Limits::Overload::drop:
      return "drop";
    case RunFile::Limits::Overload::block:
      return "block";
  }
  return "";
}

}  // namespace

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

LoadDriver::LoadDriver(const Plan& plan, const RunContext& context,
                       std::vector<std::unique_ptr<Worker>>& workers, Feeder& feeder, WriterThread& writer,
                       Mailbox<Completion>& completions, TickCollector& ticks,
                       std::vector<std::pair<std::string, std::string>> warnings, PointJudge judge)
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
      adapters_(plan.file.seed, "adapters"),
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

void LoadDriver::release_due(Active& active) {
  const bool blocks = plan_.file.limits.overload == RunFile::Limits::Overload::block;
  for (int count = 0; count < kMostReleases; ++count) {
    if (blocks && !active.held.empty()) return;  // the pattern's clock stands still
    const int64_t now = now_ns() - active.start_ns;
    const auto at_ns = active.scheduler.take_due(now, now + kLookAheadNs);
    if (!at_ns || !plan_release(active, *at_ns)) return;
  }
}

// False: the load has ended with this release.
bool LoadDriver::plan_release(Active& active, int64_t at_ns) {
  const int64_t scheduled_ns = active.start_ns + at_ns;
  auto sample = next_sample();
  if (sample == nullptr) {
    const std::string fault = feeder_.fault();
    if (!fault.empty()) {
      not_issued(active, scheduled_ns, "dataset");
      end_run("dataset", fault);
    }
    stop_load(active, "dataset");
    return false;
  }
  auto session = sample->in_session ? begin_session(sample) : nullptr;
  if (session) active.scheduler.session_taken(session->turns());
  place(active, {scheduled_ns, std::move(sample), std::move(session)});
  return true;
}

// Later turns of sessions, whose times no pattern knows.
void LoadDriver::release_turns(Active& active) {
  const bool blocks = plan_.file.limits.overload == RunFile::Limits::Overload::block;
  for (int count = 0; count < kMostReleases && !active.thinking.empty(); ++count) {
    if (blocks && !active.held.empty()) return;
    const Active::Thinking next = active.thinking.top();
    if (next.until_ns > now_ns() + kLookAheadNs) return;
    active.thinking.pop();
    active.scheduler.turn_taken(next.until_ns - active.start_ns);
    place(active, {next.until_ns, next.session->sample(next.session->turn), next.session});
  }
}

void LoadDriver::place(Active& active, Planned planned) {
  if (in_flight_ < plan_.max_in_flight && active.held.empty()) {
    dispatch(active, std::move(planned), false);
  } else if (plan_.file.limits.overload == RunFile::Limits::Overload::drop) {
    const int64_t at_ns = planned.scheduled_ns - active.start_ns;
    const uint64_t left = planned.session ? planned.session->turns_left() : 0;
    lose(active, planned, "overload");
    active.scheduler.entry_ended(at_ns, at_ns, false, left);
  } else {
    active.held.push_back(std::move(planned));
  }
}

// Its requests have one adapter, as one user would.
std::shared_ptr<Session> LoadDriver::begin_session(std::shared_ptr<const Sample> first) {
  auto session = std::make_shared<Session>();
  session->number = next_session_++;
  session->id = context_.id_prefix + "s" + std::to_string(session->number);
  session->first = std::move(first);
  session->adapter = pick_adapter();
  return session;
}

void LoadDriver::release_held(Active& active) {
  const bool blocks = plan_.file.limits.overload == RunFile::Limits::Overload::block;
  while (!active.held.empty() && in_flight_ < plan_.max_in_flight) {
    Planned held = std::move(active.held.front());
    active.held.pop_front();
    const int64_t late_ns = now_ns() - held.scheduled_ns;
    if (blocks && late_ns > 0) {
      const bool is_later_turn = held.session && held.session->turn > 0;
      is_later_turn ? active.scheduler.stand_still(late_ns)
                    : active.scheduler.shift(held.scheduled_ns - active.start_ns, late_ns);
      held.scheduled_ns += late_ns;
    }
    dispatch(active, std::move(held), true);
  }
}

std::string_view LoadDriver::pick_adapter() {
  const auto& mix = plan_.file.model.adapters;
  if (mix.empty()) return {};
  double total = 0;
  for (const RunFile::Adapter& adapter : mix) total += adapter.weight;
  double at = adapters_.uniform(0, total);
  for (const RunFile::Adapter& adapter : mix) {
    if (at < adapter.weight) return adapter.name;
    at -= adapter.weight;
  }
  return mix.back().name;
}

// By the request's number, so that the same seed cancels the same requests, whatever else was drawn.
int64_t LoadDriver::cancel_after_ns(uint64_t seq) const {
  const auto& cancel = plan_.file.request.cancel;
  if (!cancel) return TimerWheel::kNever;
  tkm::Random random(plan_.file.seed, "cancel" + std::to_string(seq));
  return random.chance(cancel->share) ? cancel->after_ns : TimerWheel::kNever;
}

void LoadDriver::dispatch(Active& active, Planned planned, bool was_held) {
  const int64_t released_ns = std::max(planned.scheduled_ns, now_ns());
  PhaseTotals& totals = totals_[active.index];
  ++totals.planned;
  ++totals.issued;
  ++active.in_flight;
  ++in_flight_;
  const uint64_t seq = next_seq_++;
  const uint64_t place = planned.session ? planned.session->number : seq;
  workers_[place % workers_.size()]->release(
      {.seq = seq,
       .phase = static_cast<uint32_t>(active.index),
       .facts = &facts_[active.index],
       .scheduled_ns = planned.scheduled_ns,
       .released_ns = released_ns,
       .held_ns = was_held ? released_ns - planned.scheduled_ns : 0,
       .cancel_after_ns = cancel_after_ns(seq),
       .adapter = planned.session ? planned.session->adapter : pick_adapter(),
       .sample = std::move(planned.sample),
       .session = std::move(planned.session)});
}

void LoadDriver::not_issued(Active& active, int64_t scheduled_ns, const std::string& cls,
                            const Session* session) {
  PhaseTotals& totals = totals_[active.index];
  ++totals.planned;
  ++totals.not_issued;
  auto record = std::make_unique<RequestRecord>();
  record->seq = next_seq_++;
  record->id = context_.id_prefix + std::to_string(record->seq);
  record->workload = context_.workload;
  record->phase = active.plan.file.name;
  record->status = Status::not_issued;
  record->cls = cls;
  record->scheduled_ns = scheduled_ns - context_.start_ns;
  if (session != nullptr) {
    record->session = session->id;
    record->turn = static_cast<int64_t>(session->turn);
    record->turns = static_cast<int64_t>(session->turns());
  }
  writer_.push(FinishedRecord{std::move(record), nullptr});
}

// A request that is not sent takes the rest of its session with it.
void LoadDriver::lose(Active& active, const Planned& planned, const std::string& cls) {
  not_issued(active, planned.scheduled_ns, cls, planned.session.get());
  if (planned.session)
    lose_rest(active, *planned.session, planned.scheduled_ns, cls == "overload" ? "session" : cls);
}

// The turns behind the one at hand. When they would have been due is not known but for "not before".
void LoadDriver::lose_rest(Active& active, Session& session, int64_t at_ns, const std::string& cls) {
  while (session.turns_left() > 0) {
    ++session.turn;
    not_issued(active, at_ns, cls, &session);
  }
}

// Their times, not beyond now: a window that ends with the last request must not reach into what never was.
void LoadDriver::lose_thinking(Active& active, const std::string& cls) {
  for (; !active.thinking.empty(); active.thinking.pop()) {
    const Active::Thinking& next = active.thinking.top();
    lose(active, {std::min(next.until_ns, now_ns()), nullptr, next.session}, cls);
  }
}

void LoadDriver::stop_load(Active& active, const std::string& cls) {
  for (const int64_t at_ns : active.scheduler.stop()) not_issued(active, active.start_ns + at_ns, cls);
  for (const Planned& held : active.held) lose(active, held, cls);
  active.held.clear();
  lose_thinking(active, cls);
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
    note_failures(completion);
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

// An entry ends with its only request, or with the last turn that its session has.
void LoadDriver::end_request(Active& active, const Completion& completion) {
  const int64_t scheduled_ns = completion.scheduled_ns - active.start_ns;
  const int64_t end_ns = completion.end_ns - active.start_ns;
  const bool ok = completion.status == Status::ok;
  const auto& session = completion.session;
  const uint64_t left = session ? session->turns_left() : 0;
  if (left == 0) return active.scheduler.entry_ended(scheduled_ns, end_ns, ok);
  if (ok && !active.scheduler.load_ended()) {
    active.scheduler.turn_ended(scheduled_ns, end_ns);
    ++session->turn;
    active.thinking.push({completion.end_ns + session->sample(session->turn)->think_time_ns, session});
    return;
  }
  lose_rest(active, *session, completion.end_ns,
            no_more_load_ ? not_issued_class_
            : ok          ? "stopped"
                          : "session");
  active.scheduler.entry_ended(scheduled_ns, end_ns, false, left);
}

void LoadDriver::note_failures(const Completion& completion) {
  if (completion.status == Status::cancelled) return;
  if (completion.status == Status::ok) {
    failures_in_a_row_ = client_faults_in_a_row_ = 0;
    return;
  }
  if (failures_in_a_row_++ == 0) first_failure_ns_ = completion.end_ns;
  client_faults_in_a_row_ = completion.client_fault ? client_faults_in_a_row_ + 1 : 0;
  if (client_faults_in_a_row_ >= kPluginFailures) {
    end_run("plugin", "10 requests in a row failed on our side; see the errors");
  } else if (failures_in_a_row_ >= kBudgetFailures && completion.end_ns - first_failure_ns_ >= kBudgetNs) {
    end_run("budget", "every request that ended in the last 10 s failed");
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
    line->duration_ns = active.plan.file.duration_ns;
    line->requests = active.plan.file.requests;
    line->sessions = active.plan.file.sessions;
    line->warmup = span_of(active.plan.file.warmup);
    line->cooldown = span_of(active.plan.file.cooldown);
    line->measure = active.plan.file.measure;
    line->open_loop = active.plan.open_loop;
    line->unsteady = active.plan.unsteady;
    line->load = active.plan.file.load.use;
    tkm::JsonDocument options;
    if (tkm::parse_json(active.plan.file.load.options_json, options)) {
      if (const tkm::Json* rate = tkm::find(options, "rate"); rate != nullptr && rate->IsNumber()) {
        line->rate_per_s = rate->GetDouble();
      }
      if (const int64_t users = tkm::get_int(options, "users"); users > 0)
        line->users = static_cast<uint64_t>(users);
    }
    line->load_options = active.plan.file.load.options_json;
    line->value = active.plan.value;
    line->max_in_flight = plan_.max_in_flight;
    line->overload = overload_name(plan_.file.limits.overload);
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

// While data are late, a worker that hosts us must go on reading.
void LoadDriver::wait_for_data() {
  bool interrupted = false;
  while (host_ != nullptr && !feeder_.is_ready()) interrupted |= host_->serve(now_ns() + kDataPollNs);
  if (interrupted) host_->interrupt();  // what came meanwhile is for the turn's own sleep
}

std::shared_ptr<const Sample> LoadDriver::next_sample() {
  wait_for_data();
  return feeder_.take();
}

// A trace ends where its data end, be it by a fault.
std::optional<int64_t> LoadDriver::next_arrival() {
  wait_for_data();
  const auto arrival_ns = feeder_.next_arrival_ns();
  if (!arrival_ns && !feeder_.fault().empty()) end_run("dataset", feeder_.fault());
  return arrival_ns;
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

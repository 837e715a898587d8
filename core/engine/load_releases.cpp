// Of the load driver: from a release of the pattern, or the next turn of a session, to the worker; and what
// becomes of those that are never sent.
#include <algorithm>
#include <memory>
#include <utility>

#include "engine/active_phase.hpp"
#include "engine/load_driver.hpp"

namespace tokometer {
namespace {

// In one turn: replies to the first of a thousand must not wait until the last is sent.
constexpr int kMostReleases = 32;
constexpr int64_t kLookAheadNs = 5'000'000;  // releases are handed over this long before their time
constexpr int64_t kDataPollNs = 1'000'000;   // between looks at a queue of samples that has run dry

}  // namespace

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
  auto sample = next_sample(active.lane);
  if (sample == nullptr) {
    const std::string fault = active.lane.feeder.fault();
    if (fault.empty()) return active.scheduler.data_ended(at_ns), false;
    not_issued(active, scheduled_ns, "dataset");
    end_run("dataset", about(active.lane, fault));
    stop_load(active, "dataset");
    return false;
  }
  auto session = sample->in_session ? begin_session(active.lane, sample) : nullptr;
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

// Its requests have one model and adapter, as one user would.
std::shared_ptr<Session> LoadDriver::begin_session(Lane& lane, std::shared_ptr<const Sample> first) {
  auto session = std::make_shared<Session>();
  session->number = next_session_++;
  session->id = context_.id_prefix + "s" + std::to_string(session->number);
  session->first = std::move(first);
  session->model = lane.draws.model();
  session->adapter = lane.draws.adapter();
  return session;
}

// The one that has waited longest, of those that may still be sent; null: there is none.
LoadDriver::Active* LoadDriver::next_held(const std::vector<Active*>& group) const {
  Active* next = nullptr;
  for (Active* active : group) {
    const bool is_cut = active->cancelled || cancel_now_ ||
                        (active->load_over && active->plan.file.drain == RunFile::Phase::Drain::cancel);
    if (is_cut || active->held.empty()) continue;
    if (next == nullptr || active->held.front().scheduled_ns < next->held.front().scheduled_ns) next = active;
  }
  return next;
}

void LoadDriver::release_held(const std::vector<Active*>& group) {
  const bool blocks = plan_.file.limits.overload == RunFile::Limits::Overload::block;
  while (in_flight_ < plan_.max_in_flight) {
    Active* const next = next_held(group);
    if (next == nullptr) return;
    Active& active = *next;
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
       .cancel_after_ns = active.lane.draws.cancel_after_ns(active.lane.planned++),
       .model = planned.session ? planned.session->model : active.lane.draws.model(),
       .adapter = planned.session ? planned.session->adapter : active.lane.draws.adapter(),
       .sample = std::move(planned.sample),
       .session = std::move(planned.session)});
}

void LoadDriver::not_issued(Active& active, int64_t scheduled_ns, const std::string& cls,
                            const Session* session) {
  PhaseTotals& totals = totals_[active.index];
  ++totals.planned;
  ++totals.not_issued;
  ++active.lane.planned;
  auto record = std::make_unique<RequestRecord>();
  record->seq = next_seq_++;
  record->id = context_.id_prefix + std::to_string(record->seq);
  record->workload = active.lane.context.workload;
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

// While data are late, a worker that hosts us must go on reading.
void LoadDriver::wait_for_data(Feeder& feeder) {
  bool interrupted = false;
  while (host_ != nullptr && !feeder.is_ready()) interrupted |= host_->serve(now_ns() + kDataPollNs);
  if (interrupted) host_->interrupt();  // what came meanwhile is for the turn's own sleep
}

std::shared_ptr<const Sample> LoadDriver::next_sample(Lane& lane) {
  wait_for_data(lane.feeder);
  return lane.feeder.take();
}

// A trace ends where its data end, be it by a fault.
std::optional<int64_t> LoadDriver::next_arrival(Lane& lane) {
  wait_for_data(lane.feeder);
  const auto arrival_ns = lane.feeder.next_arrival_ns();
  if (!arrival_ns && !lane.feeder.fault().empty()) end_run("dataset", about(lane, lane.feeder.fault()));
  return arrival_ns;
}

}  // namespace tokometer

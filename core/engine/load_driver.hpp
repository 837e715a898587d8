// The scheduler: takes what the load patterns release, gives it a sample, applies the cap, hands it to a
// worker; takes completions back; ends phases, drains, stops. The workloads of a phase begin at one instant
// and are served in turn. One object a run. With several workers it has a thread of its own; an only worker
// hosts it.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/context.hpp"
#include "engine/mailbox.hpp"
#include "engine/plan.hpp"
#include "engine/samples.hpp"
#include "engine/scheduler.hpp"
#include "engine/sessions.hpp"
#include "engine/tick_collector.hpp"
#include "engine/worker.hpp"
#include "engine/writer_thread.hpp"

namespace tokometer {

// How to stop: first no more releases, then nothing in flight any more.
struct StopOrder {
  std::string reason;                     // "signal.INT", ...: stands in the records' end line
  bool cancel = false;                    // at once, without drain
  std::optional<int64_t> drain_limit_ns;  // shorter than the run file's drain_timeout
};

// One of the workloads that play in the current phase.
struct WorkloadProgress {
  std::string name;
  uint64_t ok = 0, failed = 0, cancelled = 0, in_flight = 0;
  int64_t ttft_p50_ns = -1;  // over the whole run; -1: none yet
};

// For the display. Cumulative over the current phase, of all its workloads.
struct Progress {
  std::string phase;
  int64_t elapsed_ns = 0;
  std::optional<int64_t> duration_ns;  // of the phase
  std::optional<uint64_t> requests;
  uint64_t planned = 0, ok = 0, failed = 0, cancelled = 0, in_flight = 0;
  uint64_t held = 0;    // wait for room under max_in_flight, of all phases
  uint64_t point = 0;   // of a sweep, from 1; 0: no sweep
  uint64_t points = 0;  // at most; 0: not known
  LiveFigures live;     // over the whole run
  bool draining = false;
  std::vector<WorkloadProgress> workloads;  // in their order; empty: the phase has one
};

// Reads the records of a point, from this byte of the file on. It takes its time; on a thread of its own.
using PointJudge = std::function<Result<PointResult>(const std::string& point, uint64_t from_byte)>;

// How many requests the servers say they have; none: they do not say. Blocks; on a thread of its own.
using ServerLoad = std::function<std::optional<double>()>;

class LoadDriver {
 public:
  // All references outlive the driver. `contexts`, `feeders`: by workload. `judge`: how a point of a sweep
  // ended; `servers_have`: is the next one to wait? Both are for sweeps alone.
  LoadDriver(const Plan& plan, const std::vector<RunContext>& contexts,
             std::vector<std::unique_ptr<Worker>>& workers, std::vector<std::unique_ptr<Feeder>>& feeders,
             WriterThread& writer, Mailbox<Completion>& completions, TickCollector& ticks,
             std::vector<std::pair<std::string, std::string>> warnings,  // id and text, for the records
             PointJudge judge, ServerLoad servers_have);

  ~LoadDriver();

  // The body of its own thread, or of a guest of the only worker.
  void run();
  void wake();                        // workers: completions are waiting
  void stop(const StopOrder& order);  // any thread
  Progress progress() const;          // any thread

  // After run() has returned:
  const std::vector<PhaseTotals>& totals() const { return totals_; }
  const std::string& reason() const { return reason_; }
  const std::string& fault() const { return fault_; }

 private:
  struct Active;  // a workload in a phase that runs or drains: active_phase.hpp
  struct Lane;    // what belongs to one workload: active_phase.hpp
  struct Part {   // a workload that plays in a phase
    Lane& lane;
    const PhasePlan& phase;
  };
  struct Planned {  // a request that has its time: it goes to a worker or waits for the cap
    int64_t scheduled_ns;
    std::shared_ptr<const Sample> sample;
    std::shared_ptr<Session> session;  // null: none
  };

  void watch_threads();
  std::vector<Part> parts_of(const std::string& phase);
  void run_phase(const std::vector<Part>& parts, bool more_follow);
  void run_sweep();
  std::optional<PointResult> result_of(const std::string& point, uint64_t from_byte);
  void wait_for_records();
  void wait_for_servers();
  std::optional<double> requests_at_servers();
  void pass_time(int64_t until_ns);
  void aside(const std::function<void()>& work);
  std::vector<std::unique_ptr<Active>> open_phase(const std::vector<Part>& parts);
  std::unique_ptr<Active> open_part(const Part& part, int64_t start_ns);
  void preconnect(const Part& part);
  void turn(std::vector<Active*>& group, bool overlap);
  void check_writer();
  static void share_cooldown(const std::vector<Active*>& group);
  void watch_backlog(Active& active, int64_t now);
  bool wants_completions(const Active& active, int64_t now) const;
  int64_t wake_ns(const Active& active) const;
  void release_due(Active& active);
  bool plan_release(Active& active, int64_t at_ns);
  void release_turns(Active& active);
  void place(Active& active, Planned planned);
  void dispatch(Active& active, Planned planned, bool was_held);
  std::shared_ptr<Session> begin_session(Lane& lane, std::shared_ptr<const Sample> first);
  void end_request(Active& active, const Completion& completion);
  Active* next_held(const std::vector<Active*>& group) const;
  void release_held(const std::vector<Active*>& group);
  void end_load(Active& active);
  void drain(std::vector<Active*> group);
  void drain_ended(std::vector<Active*>& group);
  bool is_drained(Active& active);
  void end_phase(Active& active);
  void take_completions();
  void not_issued(Active& active, int64_t scheduled_ns, const std::string& cls,
                  const Session* session = nullptr);
  void lose(Active& active, const Planned& planned, const std::string& cls);
  void lose_thinking(Active& active, const std::string& cls);
  void lose_rest(Active& active, Session& session, int64_t at_ns, const std::string& cls);
  void stop_load(Active& active, const std::string& cls);
  void end_run(std::string reason, std::string fault);
  std::string about(const Lane& lane, const std::string& sentence) const;
  void check_stop();
  void sleep_until(int64_t at_ns);  // or until something has come: completions, a stop order
  void interrupt();
  void wait_for_data(Feeder& feeder);
  std::shared_ptr<const Sample> next_sample(Lane& lane);
  std::optional<int64_t> next_arrival(Lane& lane);
  void count_users(Active& active, int64_t now_ns);
  void publish(const std::vector<Active*>& group);
  void serve_ticks(int64_t now);
  void write_tick();
  void warn(std::string id, std::string text);
  void write_phase_line(const Active& active, PhaseLine::Event event);
  int64_t now_ns() const { return context_.clock->now_ns(); }

  const Plan& plan_;
  const RunContext& context_;  // of the first workload, for what all have alike
  std::vector<std::unique_ptr<Worker>>& workers_;
  Worker* const host_;                        // null: it runs on a thread of its own
  std::vector<std::unique_ptr<Lane>> lanes_;  // by workload
  WriterThread& writer_;
  Mailbox<Completion>& completions_;
  TickCollector& ticks_;
  const std::vector<std::pair<std::string, std::string>> warnings_;
  std::vector<Completion> taken_;
  std::vector<std::unique_ptr<Active>> active_;  // of the current phase, and what still drains
  std::vector<PhaseTotals> totals_;              // by phase and workload, as they began
  std::deque<PhaseFacts> facts_;                 // likewise; addresses stay
  std::deque<PhasePlan> points_;                 // of a sweep, as they are chosen; addresses stay
  uint64_t most_points_ = 0;                     // of a sweep, at most; 0: not known
  const PointJudge judge_;
  const ServerLoad servers_have_;
  uint64_t next_seq_ = 0;
  uint64_t next_session_ = 0;
  uint64_t in_flight_ = 0;
  int64_t next_tick_ns_ = 0;
  int64_t tick_line_ns_ = INT64_MAX;  // when the line of the tick that was asked for is made
  bool no_more_load_ = false;
  bool cancel_now_ = false;
  std::atomic<bool> wants_completions_{true};
  int64_t drain_limit_ns_ = 0;
  std::string reason_ = "finished", not_issued_class_ = "stopped", fault_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable woken_;
  bool wake_ = false;
  std::optional<StopOrder> order_;
  Progress progress_;
};

}  // namespace tokometer

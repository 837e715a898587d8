#include "engine/worker.hpp"

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <queue>
#include <string>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "net/poller.hpp"
#include "plugin/crash.hpp"

namespace tokometer {
namespace {

constexpr int64_t kSpinNs = 150'000;          // the last wait before a send is a spin of at most this
constexpr size_t kFirstBlocks = 4096;         // timeline blocks made before the run: 256 KiB
constexpr int64_t kUsualLagNs = 100'000'000;  // histogram pages made before the run

struct Later {
  bool operator()(const Exchange* a, const Exchange* b) const {
    return a->scheduled_ns() > b->scheduled_ns();
  }
};

}  // namespace

class Worker::Loop final : private ExchangeOwner {
 public:
  Loop(uint32_t index, std::vector<WorkerPart> parts, const WorkerLinks& links, WorkerOptions options)
      : index_(index),
        clock_(*parts.front().context.clock),
        links_(links),
        options_(options),
        poller_(io_, clock_),
        timers_(clock_.now_ns()) {
    for (WorkerPart& part : parts) lanes_.push_back(std::make_unique<Lane>(std::move(part), *this));
    poller_.leave_context();  // a failure shows in each connection
    blocks_.reserve(kFirstBlocks);
    send_tick();
  }

  void run(const std::function<void()>& guest);
  bool serve(int64_t until_ns);
  void interrupt();
  int32_t thread_id() const noexcept { return thread_id_.load(std::memory_order_relaxed); }

  void release(Release release) {
    if (hosting_) return start(std::move(release));
    if (inbox_.push(std::move(release))) post([this] { take_inbox(); });
  }
  template <class Task>
  void post(Task task) {
    boost::asio::post(io_, std::move(task));
    posted_.store(true);
    poller_.interrupt();
  }

  void preconnect(size_t workload, size_t count, const std::function<void(Result<void>)>& done);
  void cancel(uint32_t phase, const char* reason);
  std::vector<InFlight> oldest(size_t count) const;
  void send_tick();  // what was seen since the last one, to links.ticks; the first call only begins
  void stop() { stopping_ = true; }

 private:
  void on_complete(Completion completion) override;
  void on_over(Exchange& exchange) override;
  void on_read_stamp(const ReadStamp& stamp, uint32_t token_events, bool flagged) override;

  // What belongs to one workload.
  struct Lane {
    Lane(WorkerPart part, Loop& loop);

    const RunContext& context;
    Processor processor;
    RequestEncoder encoder;
    std::vector<std::unique_ptr<Pool>> pools;  // by server
    ExchangeServices services;
    std::vector<std::unique_ptr<Exchange>> exchanges;  // all that were ever needed at once
    std::vector<Exchange*> idle;
  };

  void turn(int64_t until_ns);
  void take_inbox();
  void start(Release release);
  Exchange& idle_exchange(Lane& lane);
  std::unique_ptr<RequestRecord> idle_record();
  void send_due(int64_t now_ns);
  void serve_context(int64_t now_ns);
  bool is_quiet() const { return stopping_ && in_use_ == 0; }

  const uint32_t index_;
  const Clock& clock_;
  WorkerLinks links_;
  const WorkerOptions options_;
  std::atomic<int32_t> thread_id_{0};
  std::atomic<std::thread::id> thread_{};
  boost::asio::io_context io_{1};
  Poller poller_;
  BlockPool blocks_;
  WireBuffers wires_;
  TimerWheel timers_;
  int64_t next_tick_ns_ = 0;  // of the wheel

  Mailbox<Release> inbox_;
  std::vector<Release> taken_;
  std::vector<std::unique_ptr<Lane>> lanes_;                           // by workload
  std::priority_queue<Exchange*, std::vector<Exchange*>, Later> due_;  // encoded, waiting for their time
  Mailbox<std::unique_ptr<RequestRecord>> returned_;
  std::vector<std::unique_ptr<RequestRecord>> spare_records_;
  std::vector<std::unique_ptr<RequestRecord>> taken_records_;
  size_t in_use_ = 0;
  bool stopping_ = false;
  bool hosting_ = false;                  // a guest runs: it releases from this thread
  std::atomic<bool> posted_{false};       // tasks from other threads wait in the io_context
  std::atomic<bool> interrupted_{false};  // the guest's serve() is to return
  std::unique_ptr<WorkerTick> tick_;
  int64_t turn_began_ns_ = 0;  // first read of the turn
};

Worker::Loop::Lane::Lane(WorkerPart part, Loop& loop)
    : context(part.context),
      processor(std::move(part.processor)),
      encoder(context, processor),
      services{context, processor, encoder, pools, loop.timers_, loop.blocks_, loop.wires_, loop} {
  for (const TargetServer& server : context.servers) {
    part.pool.endpoints = server.endpoints;
    const bool tunnels = server.proxy != nullptr && server.origin.empty();
    part.pool.tunnel_request = tunnels ? tunnel_request(*server.proxy, server.url) : "";
    part.pool.tls = server.url.tls ? context.tls : nullptr;
    part.pool.tls_host = server.url.host;
    pools.push_back(std::make_unique<Pool>(loop.io_, loop.poller_, loop.clock_, part.pool));
  }
}

void Worker::Loop::preconnect(size_t workload, size_t count, const std::function<void(Result<void>)>& done) {
  const auto& pools = lanes_[workload]->pools;
  const size_t each = (count + pools.size() - 1) / pools.size();
  const auto left = std::make_shared<size_t>(pools.size());
  for (const auto& pool : pools) {
    pool->preconnect(each, [left, done](const Result<void>& result) {
      if (--*left == 0) done(result);
    });
  }
}

void Worker::Loop::send_tick() {
  auto next = std::make_unique<WorkerTick>();
  if (tick_) {
    next->token_events = tick_->token_events;
    next->flagged_events = tick_->flagged_events;
  }
  next->worker = index_;
  next->client_lag.preallocate(kUsualLagNs);
  next->ambiguity.preallocate(kUsualLagNs);
  std::swap(tick_, next);
  if (!next) return;
  const ReceiveCounters& received = poller_.receiver().counters();
  next->reads = received.reads;
  next->user_stamp_reads = received.user_stamps;
  next->clock_steps = poller_.receiver().clock_steps();
  links_.ticks.push(std::move(next));
}

void Worker::Loop::run(const std::function<void()>& guest) {
  thread_id_.store(gettid(), std::memory_order_relaxed);
  pthread_setname_np(pthread_self(), ("io-" + std::to_string(index_)).c_str());
  const SignalStack signal_stack;
  const auto keep_running = boost::asio::make_work_guard(io_);
  thread_ = std::this_thread::get_id();
  if (options_.io_uring) {
    const Result<void> used = poller_.use_ring();
    if (!used) log(LogLevel::warn, "reads by epoll, since io_uring does not work: " + used.error().message);
  }
  prctl(PR_SET_TIMERSLACK, 1);  // a wait ends when it is due, not up to 50 us later
  if (guest) {
    hosting_ = true;
    guest();
    hosting_ = false;
  }
  while (!is_quiet()) turn(TimerWheel::kNever);
  send_tick();
}

bool Worker::Loop::serve(int64_t until_ns) {
  do {
    turn(until_ns);
  } while (!interrupted_.load(std::memory_order_relaxed) && clock_.now_ns() < until_ns);
  return interrupted_.exchange(false);
}

void Worker::Loop::interrupt() {
  interrupted_.store(true);
  if (std::this_thread::get_id() != thread_) poller_.interrupt();
}

// Sends what is due, then waits for sockets, at most until something else is due or `until_ns`.
void Worker::Loop::turn(int64_t until_ns) {
  const int64_t now_ns = clock_.now_ns();
  if (turn_began_ns_ != 0) tick_->longest_turn_ns = std::max(tick_->longest_turn_ns, now_ns - turn_began_ns_);
  turn_began_ns_ = 0;
  send_due(now_ns);
  if (now_ns >= next_tick_ns_ || posted_.exchange(false)) serve_context(now_ns);
  if (interrupted_.load(std::memory_order_relaxed)) until_ns = 0;
  const int64_t due_ns = due_.empty() ? TimerWheel::kNever : due_.top()->scheduled_ns();
  const int64_t wake_ns = options_.spin && !due_.empty() ? due_ns - kSpinNs : due_ns;
  poller_.wait(std::min({until_ns, wake_ns, next_tick_ns_}));
}

// The io_context has the tasks of other threads and the pool's alarms, which need no more than a tick's
// precision.
void Worker::Loop::serve_context(int64_t now_ns) {
  io_.poll();
  if (now_ns < next_tick_ns_) return;
  timers_.advance(now_ns);
  next_tick_ns_ = now_ns + TimerWheel::kTickNs;
}

void Worker::Loop::send_due(int64_t now_ns) {
  while (!due_.empty() && due_.top()->scheduled_ns() <= now_ns) {
    Exchange& exchange = *due_.top();
    due_.pop();
    exchange.send();
  }
}

Exchange& Worker::Loop::idle_exchange(Lane& lane) {
  if (lane.idle.empty()) {
    lane.exchanges.push_back(std::make_unique<Exchange>(lane.services));
    lane.idle.push_back(lane.exchanges.back().get());
  }
  Exchange& exchange = *lane.idle.back();
  lane.idle.pop_back();
  ++in_use_;
  return exchange;
}

std::unique_ptr<RequestRecord> Worker::Loop::idle_record() {
  if (spare_records_.empty()) {
    returned_.take(taken_records_);
    std::move(taken_records_.begin(), taken_records_.end(), std::back_inserter(spare_records_));
  }
  if (spare_records_.empty()) return std::make_unique<RequestRecord>();
  auto record = std::move(spare_records_.back());
  spare_records_.pop_back();
  return record;
}

void Worker::Loop::take_inbox() {
  inbox_.take(taken_);
  for (Release& release : taken_) start(std::move(release));
}

void Worker::Loop::start(Release release) {
  Exchange& exchange = idle_exchange(*lanes_[release.facts->workload]);
  exchange.give_record(idle_record());
  if (!exchange.prepare(std::move(release))) return;
  // What is due goes at once: of a burst, the first must not wait until the last is encoded.
  if (exchange.scheduled_ns() <= clock_.now_ns()) {
    exchange.send();
  } else {
    due_.push(&exchange);
  }
}

void Worker::Loop::cancel(uint32_t phase, const char* reason) {
  std::vector<Exchange*> kept;  // what is cancelled must not stand in due_ any more when it is used again
  for (; !due_.empty(); due_.pop()) {
    if (due_.top()->phase() != phase) kept.push_back(due_.top());
  }
  for (Exchange* exchange : kept) due_.push(exchange);
  for (const auto& lane : lanes_) {
    for (const auto& exchange : lane->exchanges) {
      if (exchange->phase() == phase) exchange->cancel(reason);
    }
  }
}

std::vector<InFlight> Worker::Loop::oldest(size_t count) const {
  std::vector<const Exchange*> found;
  for (const auto& lane : lanes_) {
    for (const auto& exchange : lane->exchanges) {
      if (exchange->is_in_flight()) found.push_back(exchange.get());
    }
  }
  count = std::min(count, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<ptrdiff_t>(count), found.end(),
                    [](auto* a, auto* b) { return a->scheduled_ns() < b->scheduled_ns(); });
  found.resize(count);
  std::vector<InFlight> states;
  for (const Exchange* exchange : found) states.push_back(exchange->state(clock_.now_ns()));
  return states;
}

void Worker::Loop::on_complete(Completion completion) {
  if (links_.completions.push(std::move(completion))) links_.wake_scheduler();
}

void Worker::Loop::on_over(Exchange& exchange) {
  links_.writer.push(FinishedRecord{exchange.take_record(), &returned_});
  --in_use_;
  lanes_[exchange.workload()]->idle.push_back(&exchange);
}

void Worker::Loop::on_read_stamp(const ReadStamp& stamp, uint32_t token_events, bool flagged) {
  if (turn_began_ns_ == 0) turn_began_ns_ = stamp.user_ns;
  tick_->client_lag.record(stamp.user_ns - stamp.at_ns);
  tick_->token_events += token_events;
  if (!flagged) return;
  tick_->flagged_events += token_events;
  tick_->ambiguity.record(stamp.ambiguity_ns(), token_events);
}

Worker::Worker(uint32_t index, std::vector<WorkerPart> parts, const WorkerLinks& links, WorkerOptions options)
    : loop_(std::make_unique<Loop>(index, std::move(parts), links, options)) {}

Worker::~Worker() = default;

void Worker::run(const std::function<void()>& guest) {
  loop_->run(guest);
}
bool Worker::serve(int64_t until_ns) {
  return loop_->serve(until_ns);
}
void Worker::interrupt() {
  loop_->interrupt();
}
int32_t Worker::thread_id() const noexcept {
  return loop_->thread_id();
}
void Worker::release(Release release) {
  loop_->release(std::move(release));
}
void Worker::preconnect(size_t workload, size_t count, std::function<void(Result<void>)> done) {
  loop_->post([this, workload, count, done = std::move(done)] { loop_->preconnect(workload, count, done); });
}
void Worker::cancel(uint32_t phase, const char* reason) {
  loop_->post([this, phase, reason] { loop_->cancel(phase, reason); });
}
void Worker::ask_for_tick() {
  loop_->post([this] { loop_->send_tick(); });
}
void Worker::ask_for_oldest(size_t count, std::function<void(std::vector<InFlight>)> done) {
  loop_->post([this, count, done = std::move(done)] { done(loop_->oldest(count)); });
}
void Worker::stop() {
  loop_->post([this] { loop_->stop(); });
}

}  // namespace tokometer

#include "engine/run.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>
#include <utility>

#include "base/file.hpp"
#include "engine/server_load.hpp"
#include "engine/server_tokens.hpp"
#include "engine/workload_parts.hpp"
#include "metrics/summary.hpp"
#include "plugin/crash.hpp"

namespace tokometer {
namespace {

constexpr size_t kSlowestShown = 5;
constexpr auto kAnswerPatience = std::chrono::milliseconds(200);

Result<std::unique_ptr<Feeder>> open_feeder(const WorkloadPlan& plan, const Preflight& preflight,
                                            const std::string& salt) {
  auto dataset = make_dataset(plan, preflight.calibration ? &*preflight.calibration : nullptr);
  if (!dataset) return dataset.errors();
  SampleRules rules = sample_rules(plan, preflight.profile, salt);
  rules.fit_scale = preflight.fit_scale;
  if (preflight.server_counts) {
    rules.count_text = [server = ServerTokens(plan.file, preflight)](std::string_view text) {
      return server.count(text);
    };
  }
  auto source = SampleSource::open(std::move(*dataset), std::move(rules));
  if (!source) return source.errors();
  return std::make_unique<Feeder>(std::move(*source));
}

}  // namespace

// How a point of a sweep ended, by the reducer, so that the run's report will say the same.
PointJudge judge_of(const std::filesystem::path& directory) {
  return [directory](const std::string& point, uint64_t from_byte) -> Result<PointResult> {
    auto phase = summarize_point(directory, point, from_byte);
    if (!phase) return phase.errors();
    const Scalar* rate = phase->find_scalar("completed_rate");
    return PointResult{.completed_per_s = rate != nullptr ? rate->number() : 0,
                       .over = phase->over,
                       .gates_hold = phase->gates_hold()};
  };
}

class Run::Threads {
 public:
  Threads(const Plan& plan, std::vector<RunContext> contexts, const Clock& clock)
      : contexts_(std::move(contexts)),
        ticks_(clock, contexts_.front().start_ns),
        clock_(clock),
        plan_(plan) {}
  ~Threads() { finish(); }

  Result<void> start(const std::vector<Preflight>& preflights, const RunSettings& settings);
  bool wait(int64_t timeout_ns);
  RunState state();
  RunResult finish();
  LoadDriver& driver() { return *driver_; }

 private:
  Result<std::vector<WorkerPart>> make_parts(const std::vector<Preflight>& preflights) const;
  Result<void> make_workers(const std::vector<Preflight>& preflights);
  std::vector<std::pair<std::string, std::string>> warnings(const std::vector<Preflight>& preflights) const;
  void start_threads();

  // In the order of their making: what comes later uses what came before, and ends before it.
  const std::vector<RunContext> contexts_;  // by workload
  Mailbox<Completion> completions_;
  TickCollector ticks_;
  const Clock& clock_;
  const Plan& plan_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<WriterThread> writer_;
  std::vector<std::unique_ptr<Feeder>> feeders_;  // by workload
  std::unique_ptr<LoadDriver> driver_;
  std::vector<std::thread> worker_threads_;
  std::thread scheduler_thread_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool load_is_over_ = false;
  RunResult result_;
};

Result<std::vector<WorkerPart>> Run::Threads::make_parts(const std::vector<Preflight>& preflights) const {
  std::vector<WorkerPart> parts;
  for (size_t i = 0; i < contexts_.size(); ++i) {
    const RunContext& context = contexts_[i];
    const RunFile::Connections& connections = plan_.workloads[i].file.target.connections;
    auto processor = make_processor(plan_.workloads[i], preflights[i]);
    if (!processor) return processor.errors();
    PoolOptions pool;
    pool.policy = context.keep_alive ? ConnectionPolicy::reuse : ConnectionPolicy::fresh;
    pool.max_idle_ns = connections.max_idle_ns;
    pool.http2 = context.http2;
    pool.http2_advice = context.grpc ? kFindGrpcPort : kUseHttp1;
    pool.streams_per_connection = connections.streams;
    parts.push_back({context, std::move(*processor), std::move(pool)});
  }
  return parts;
}

Result<void> Run::Threads::make_workers(const std::vector<Preflight>& preflights) {
  const WorkerLinks links{completions_, *writer_, ticks_.inbox(), [this] { driver_->wake(); }};
  for (uint32_t i = 0; i < plan_.io_threads; ++i) {
    auto parts = make_parts(preflights);
    if (!parts) return parts.errors();
    workers_.push_back(std::make_unique<Worker>(
        i, std::move(*parts), links, WorkerOptions{.spin = plan_.spin, .io_uring = plan_.io_uring}));
  }
  return {};
}

// What is alike for several workloads is said once.
std::vector<std::pair<std::string, std::string>> Run::Threads::warnings(
    const std::vector<Preflight>& preflights) const {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const char* id, const std::string& text) {
    const std::pair<std::string, std::string> warning(id, text);
    if (std::find(all.begin(), all.end(), warning) == all.end()) all.push_back(warning);
  };
  for (const Preflight& preflight : preflights) {
    for (const std::string& text : preflight.warnings) add("profile", text);
  }
  for (size_t i = 0; i < feeders_.size(); ++i) {
    const std::string whose = feeders_.size() > 1 ? "workload " + contexts_[i].workload + ": " : "";
    const Feeder& feeder = *feeders_[i];
    if (feeder.skipped_at_start() > 0) {
      add("rows_skipped",
          whose + std::to_string(feeder.skipped_at_start()) + " bad records of the dataset were left out");
    }
    if (!feeder.filtered_at_start().empty()) add("rows_filtered", whose + feeder.filtered_at_start());
    if (!preflights[i].lengths.empty()) add("rows_made", whose + preflights[i].lengths);
    if (!feeder.fitted_at_start().empty()) add("rows_fitted", whose + feeder.fitted_at_start());
  }
  return all;
}

Result<void> Run::Threads::start(const std::vector<Preflight>& preflights, const RunSettings& settings) {
  auto writer = WriterThread::start(settings.directory, plan_.file.output, ticks_, clock_);
  if (!writer) return writer.errors();
  writer_ = std::move(*writer);
  for (size_t i = 0; i < preflights.size(); ++i) {
    auto feeder = open_feeder(plan_.workloads[i], preflights[i], settings.salt);
    if (!feeder) return feeder.errors();
    feeders_.push_back(std::move(*feeder));
  }
  if (auto made = make_workers(preflights); !made) return made;
  driver_ = std::make_unique<LoadDriver>(
      plan_, contexts_, workers_, feeders_, *writer_, completions_, ticks_, warnings(preflights),
      judge_of(settings.directory),
      [&file = plan_.file, preflight = preflights.front()] { return requests_at_servers(file, preflight); });
  start_threads();
  return {};
}

// An only worker hosts the scheduler: what a finished request leads to is sent with no hand-over to another
// thread.
void Run::Threads::start_threads() {
  const auto schedule = [this] {
    driver_->run();
    const std::lock_guard lock(mutex_);
    load_is_over_ = true;
    ended_.notify_all();
  };
  if (workers_.size() == 1) {
    worker_threads_.emplace_back([this, schedule] { workers_.front()->run(schedule); });
    return;
  }
  for (const auto& worker : workers_) worker_threads_.emplace_back([&worker = *worker] { worker.run(); });
  scheduler_thread_ = std::thread([schedule] {
    pthread_setname_np(pthread_self(), "scheduler");
    const SignalStack signal_stack;
    schedule();
  });
}

bool Run::Threads::wait(int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  return ended_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [this] { return load_is_over_; });
}

RunState Run::Threads::state() {
  struct Answers {  // outlives this call where a worker is late
    std::mutex mutex;
    std::condition_variable come;
    size_t workers = 0;
    std::vector<InFlight> found;
  };
  const auto answers = std::make_shared<Answers>();
  for (const auto& worker : workers_) {
    worker->ask_for_oldest(kSlowestShown, [answers](std::vector<InFlight> found) {
      const std::lock_guard lock(answers->mutex);
      std::move(found.begin(), found.end(), std::back_inserter(answers->found));
      ++answers->workers;
      answers->come.notify_one();
    });
  }
  RunState state{.progress = driver_->progress(),
                 .samples_ready = 0,
                 .lines_waiting = writer_->waiting_lines(),
                 .slowest = {},
                 .silent_workers = 0};
  for (const auto& feeder : feeders_) state.samples_ready += feeder->ready();
  std::unique_lock lock(answers->mutex);
  answers->come.wait_for(lock, kAnswerPatience, [&] { return answers->workers == workers_.size(); });
  state.slowest = std::move(answers->found);
  state.silent_workers = workers_.size() - answers->workers;
  std::sort(state.slowest.begin(), state.slowest.end(),
            [](const InFlight& a, const InFlight& b) { return a.age_ns > b.age_ns; });
  state.slowest.resize(std::min(state.slowest.size(), kSlowestShown));
  return state;
}

RunResult Run::Threads::finish() {
  if (worker_threads_.empty()) return result_;  // never started, or finished before
  if (scheduler_thread_.joinable()) scheduler_thread_.join();
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : worker_threads_) thread.join();
  worker_threads_.clear();
  result_ = {.reason = driver_->reason(), .fault = driver_->fault(), .records_fault = {}};
  auto tick = std::make_unique<TickLine>();  // with the workers' last words
  tick->totals = driver_->totals();
  writer_->push(std::move(tick));
  writer_->finish({.at_ns = clock_.now_ns() - contexts_.front().start_ns,
                   .reason = driver_->reason(),
                   .totals = driver_->totals()});
  result_.records_fault = writer_->fault();
  return result_;
}

Result<std::unique_ptr<Run>> Run::start(const Plan& plan, const std::vector<Preflight>& preflights,
                                        const RunSettings& settings, Manifest manifest, const Clock& clock,
                                        const Redactor& redactor) {
  std::vector<RunContext> contexts;
  const int64_t start_ns = clock.now_ns();
  for (size_t i = 0; i < preflights.size(); ++i) {
    contexts.push_back(make_context(plan.workloads[i], preflights[i], settings.salt, clock, redactor));
    contexts.back().start_ns = start_ns;
    contexts.back().id_prefix = settings.id_prefix;
  }
  manifest.start_monotonic_ns = start_ns;
  manifest.clock_offset_ns = wall_clock_offset_ns();
  if (auto written = publish_file(settings.directory / "manifest.json", manifest_json(manifest)); !written) {
    return written.errors();
  }
  auto threads = std::make_unique<Threads>(plan, std::move(contexts), clock);
  if (auto started = threads->start(preflights, settings); !started) return started.errors();
  return std::unique_ptr<Run>(new Run(std::move(threads)));
}

Run::Run(std::unique_ptr<Threads> threads) : threads_(std::move(threads)) {}
Run::~Run() = default;
bool Run::wait(int64_t timeout_ns) {
  return threads_->wait(timeout_ns);
}
void Run::stop(const StopOrder& order) {
  threads_->driver().stop(order);
}
Progress Run::progress() const {
  return threads_->driver().progress();
}
RunState Run::state() {
  return threads_->state();
}
RunResult Run::finish() {
  return threads_->finish();
}

}  // namespace tokometer

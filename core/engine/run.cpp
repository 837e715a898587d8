#include "engine/run.hpp"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <set>
#include <thread>
#include <utility>

#include <tokometer/json.hpp>

#include "base/file.hpp"
#include "engine/server_load.hpp"
#include "metrics/summary.hpp"
#include "plugin/crash.hpp"

namespace tokometer {
namespace {

constexpr size_t kSlowestShown = 5;
constexpr auto kAnswerPatience = std::chrono::milliseconds(200);

Result<std::unique_ptr<Feeder>> open_feeder(const Plan& plan, const Preflight& preflight,
                                            const std::string& salt) {
  auto dataset = make_dataset(plan, preflight.calibration ? &*preflight.calibration : nullptr);
  if (!dataset) return dataset.errors();
  SampleRules rules = sample_rules(plan, preflight.profile, salt);
  rules.fit_scale = preflight.fit_scale;
  auto source = SampleSource::open(std::move(*dataset), std::move(rules));
  if (!source) return source.errors();
  return std::make_unique<Feeder>(std::move(*source));
}

Manifest::Sweep sweep_facts(const Plan& plan) {
  const RunFile::Sweep& sweep = *plan.file.sweep;
  static constexpr std::array kMethods{"even", "list", "bisect"};
  return {.method = kMethods[static_cast<size_t>(sweep.method)],
          .option = sweep.option,
          .pattern = plan.sweep->pattern,
          .points = SweepPlanner(sweep, plan.sweep->pattern, plan.sweep->whole).planned(),
          .duration_ns = sweep.point.duration_ns.value_or(0)};
}

// A dataset that can share prefixes does so in this run unless its option says that they are empty.
bool shares_prefixes(const Plan& plan) {
  tkm::JsonDocument options;
  if (!plan.dataset->has_capability("shared-prefix")) return false;
  return !tkm::parse_json(plan.file.dataset.options_json, options) ||
         tkm::get_int(options, "prefix_tokens", 1) != 0;
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
  Threads(const Plan& plan, RunContext context, const Clock& clock)
      : context_(std::move(context)), ticks_(clock, context_.start_ns), clock_(clock), plan_(plan) {}
  ~Threads() { finish(); }

  Result<void> start(const Preflight& preflight, const RunSettings& settings);
  bool wait(int64_t timeout_ns);
  RunState state();
  RunResult finish();
  LoadDriver& driver() { return *driver_; }

 private:
  Result<void> make_workers(const Preflight& preflight);
  void start_threads();

  // In the order of their making: what comes later uses what came before, and ends before it.
  RunContext context_;
  Mailbox<Completion> completions_;
  TickCollector ticks_;
  const Clock& clock_;
  const Plan& plan_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<WriterThread> writer_;
  std::unique_ptr<Feeder> feeder_;
  std::unique_ptr<LoadDriver> driver_;
  std::vector<std::thread> worker_threads_;
  std::thread scheduler_thread_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool load_is_over_ = false;
  RunResult result_;
};

Result<void> Run::Threads::make_workers(const Preflight& preflight) {
  PoolOptions pool;
  pool.policy = context_.keep_alive ? ConnectionPolicy::reuse : ConnectionPolicy::fresh;
  pool.max_idle_ns = plan_.file.target.connections.max_idle_ns;
  pool.http2 = context_.http2;
  pool.http2_advice = context_.grpc ? kFindGrpcPort : kUseHttp1;
  pool.streams_per_connection = plan_.file.target.connections.streams;
  const WorkerLinks links{completions_, *writer_, ticks_.inbox(), [this] { driver_->wake(); }};
  for (uint32_t i = 0; i < plan_.io_threads; ++i) {
    auto processor = make_processor(plan_, preflight);
    if (!processor) return processor.errors();
    workers_.push_back(std::make_unique<Worker>(i, context_, std::move(*processor), pool, links, plan_.spin));
  }
  return {};
}

Result<void> Run::Threads::start(const Preflight& preflight, const RunSettings& settings) {
  auto writer = WriterThread::start(settings.directory, plan_.file.output, ticks_, clock_);
  if (!writer) return writer.errors();
  writer_ = std::move(*writer);
  auto feeder = open_feeder(plan_, preflight, settings.salt);
  if (!feeder) return feeder.errors();
  feeder_ = std::move(*feeder);
  if (auto made = make_workers(preflight); !made) return made;
  std::vector<std::pair<std::string, std::string>> warnings;
  for (const std::string& text : preflight.warnings) warnings.emplace_back("profile", text);
  if (const uint64_t skipped = feeder_->skipped_at_start(); skipped > 0) {
    warnings.emplace_back("rows_skipped",
                          std::to_string(skipped) + " bad records of the dataset were left out");
  }
  if (!feeder_->filtered_at_start().empty())
    warnings.emplace_back("rows_filtered", feeder_->filtered_at_start());
  if (!feeder_->fitted_at_start().empty()) warnings.emplace_back("rows_fitted", feeder_->fitted_at_start());
  driver_ = std::make_unique<LoadDriver>(
      plan_, context_, workers_, *feeder_, *writer_, completions_, ticks_, std::move(warnings),
      judge_of(settings.directory),
      [&file = plan_.file, preflight] { return requests_at_servers(file, preflight); });
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
                 .samples_ready = feeder_->ready(),
                 .lines_waiting = writer_->waiting_lines(),
                 .slowest = {},
                 .silent_workers = 0};
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
  writer_->finish({.at_ns = clock_.now_ns() - context_.start_ns,
                   .reason = driver_->reason(),
                   .totals = driver_->totals()});
  result_.records_fault = writer_->fault();
  return result_;
}

Result<std::unique_ptr<Run>> Run::start(const Plan& plan, const Preflight& preflight,
                                        const RunSettings& settings, Manifest manifest, const Clock& clock,
                                        const Redactor& redactor) {
  RunContext context = make_context(plan, preflight, settings.salt, clock, redactor);
  context.start_ns = clock.now_ns();
  context.id_prefix = settings.id_prefix;
  manifest.start_monotonic_ns = context.start_ns;
  manifest.clock_offset_ns = wall_clock_offset_ns();
  manifest.data_files = plan.data_files;
  manifest.data_files.insert(manifest.data_files.end(), plan.tokenizer_files.begin(),
                             plan.tokenizer_files.end());
  if (auto written = publish_file(settings.directory / "manifest.json", manifest_json(manifest)); !written) {
    return written.errors();
  }
  auto threads = std::make_unique<Threads>(plan, std::move(context), clock);
  if (auto started = threads->start(preflight, settings); !started) return started.errors();
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

Manifest make_manifest(const Plan& plan, const Preflight& preflight, const Redactor& redactor) {
  Manifest manifest;
  const RunFile& file = plan.file;
  manifest.name = file.name;
  manifest.tags.assign(file.tags.begin(), file.tags.end());
  manifest.seed = file.seed;
  manifest.plan_hash = plan.hash;
  manifest.run_file_json = redactor.redact(file.resolved_json);
  const auto add = [&](const char* kind, const std::string& use, const Component& component) {
    manifest.plugins.push_back({.kind = kind,
                                .use = use,
                                .module = std::string(component.module_name()),
                                .version = std::string(component.version()),
                                .path = component.path,
                                .sha256 = component.sha256,
                                .build_id = component.build_id,
                                .abi_major = TKM_ABI_MAJOR,
                                .abi_minor = static_cast<int>(component.module->abi_minor)});
  };
  add("processor", file.processor.use, *plan.processor);
  add("dataset", file.dataset.use, *plan.dataset);
  if (plan.tokenizer_plugin != nullptr) add("tokenizer", file.tokenizer.use, *plan.tokenizer_plugin);
  std::set<const Component*> patterns;
  for (const PhasePlan& phase : plan.phases) {
    if (patterns.insert(phase.load).second) add("pattern", phase.file.load.use, *phase.load);
  }
  if (plan.sweep && patterns.insert(plan.sweep->load).second) {
    add("pattern", file.load.use, *plan.sweep->load);
  }
  manifest.host.io_threads = static_cast<int>(plan.io_threads);
  manifest.host.spin = plan.spin;
  for (const TargetServer& server : preflight.servers) {
    manifest.target.url += (manifest.target.url.empty() ? "" : ", ") + server.url.text();
    for (const Endpoint& endpoint : server.endpoints) manifest.target.endpoints.push_back(endpoint.text);
  }
  manifest.target.tls_verify = preflight.tls == nullptr || preflight.tls->verifies();
  manifest.target.simulated = file.target.simulate;
  manifest.target.server = preflight.server;
  manifest.preflight.requests = preflight.requests;
  manifest.preflight.prompt_tokens = preflight.prompt_tokens;
  manifest.preflight.output_tokens = preflight.output_tokens;
  manifest.preflight.info_json = preflight.info_json;
  Manifest::Workload workload;
  workload.processor = file.processor.use;
  workload.dataset = file.dataset.use;
  workload.load = plan.sweep ? file.load.use : plan.phases.front().file.load.use;
  workload.model = preflight.model;
  workload.shared_prefix = shares_prefixes(plan);
  workload.sessions = plays_sessions(plan);
  workload.cache_salt_none = file.request.cache_salt == RunFile::Request::CacheSalt::none;
  manifest.workloads.push_back(std::move(workload));
  manifest.slo = {file.slo.ttft_ns, file.slo.tpot_ns, file.slo.e2e_ns, file.slo.itl_p99_ns};
  manifest.gates = file.slo.gates;
  manifest.error_budget = file.limits.error_budget;
  manifest.console = file.output.console;
  if (plan.sweep) manifest.sweep = sweep_facts(plan);
  return manifest;
}

}  // namespace tokometer

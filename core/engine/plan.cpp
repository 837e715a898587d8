#include "engine/plan.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <thread>
#include <utility>

#include <tokometer/json.hpp>

#include "engine/plan_hash.hpp"
#include "engine/sweep_plan.hpp"
#include "net/poller.hpp"

namespace tokometer {
namespace {

constexpr int64_t kLongestCooldownNs = 30'000'000'000;
constexpr uint64_t kSpareDescriptors = 64;  // files, timers, epoll sets, the simulator's pipes
constexpr size_t kHashedArrivals = 100'000;

int32_t kind_of(std::string_view kind) {
  if (kind == "processor") return TKM_KIND_PROCESSOR;
  if (kind == "dataset") return TKM_KIND_DATASET;
  if (kind == "tokenizer") return TKM_KIND_TOKENIZER;
  return TKM_KIND_PATTERN;
}

// The soft limit is raised to the hard one: nobody wants to be stopped by a default of 1,024.
uint64_t descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

uint64_t local_ports() {
  uint64_t first = 32768;
  uint64_t last = 60999;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first >> last;
  return last > first ? last - first + 1 : 1;
}

PhaseLimits limits_of(const RunFile::Phase& phase, bool open_loop) {
  PhaseLimits limits{.duration_ns = phase.duration_ns,
                     .requests = phase.requests,
                     .sessions = phase.sessions,
                     .open_loop = open_loop};
  if (!phase.duration_ns || !phase.measure) return limits;
  switch (phase.cooldown.kind) {
    case RunFile::Span::Kind::automatic:
      limits.cooldown_ns = kLongestCooldownNs;
      break;
    case RunFile::Span::Kind::duration:
      limits.cooldown_ns = phase.cooldown.ns;
      break;
    case RunFile::Span::Kind::count:
      limits.cooldown_ns = kLongestCooldownNs;
      limits.cooldown_requests = phase.cooldown.count;
      break;
    case RunFile::Span::Kind::none:
      break;
  }
  return limits;
}

// By the names of options that the bundled closed loops use.
void count_users(PhasePlan& phase) {
  tkm::JsonDocument options;
  if (phase.open_loop || !tkm::parse_json(phase.file.load.options_json, options)) return;
  const auto number = [&](const char* name) {
    return static_cast<uint64_t>(std::max<int64_t>(tkm::get_int(options, name), 0));
  };
  phase.most_users = std::max({number("users"), number("from"), number("to")});
  const bool ramps_up = tkm::get_number(options, "ramp_up", 0) > 0;
  phase.users_at_once = std::max(ramps_up ? 1 : number("users"), number("from"));
}

Result<void> add_tokenizer(WorkloadPlan& plan, Registry& registry) {
  const RunFile& file = plan.file;
  if (file.tokenizer.use.empty()) return {};
  auto found = registry.find(TKM_KIND_TOKENIZER, file.tokenizer.use);
  if (!found) return found.errors();
  auto made = RunTokenizer::make(**found, {.config_json = file.tokenizer.options_json, .seed = file.seed});
  if (!made) return made.errors();
  plan.tokenizer_plugin = *found;
  plan.tokenizer = std::move(*made);
  plan.tokenizer_files = find_data_files(**found, file.tokenizer.options_json);
  return {};
}

Result<PhasePlan> plan_phase(const RunFile::Phase& phase, uint64_t run_seed, Registry& registry) {
  auto load = registry.find(TKM_KIND_PATTERN, phase.load.use);
  if (!load) return load.errors();
  PhasePlan plan;
  plan.file = phase;
  plan.load = *load;
  complete(plan, run_seed);
  return plan;
}

// A trace needs data that say when, in the order of the file.
Result<void> check_trace(const WorkloadPlan& plan) {
  const auto follows = [](const PhasePlan& phase) { return phase.follows_data; };
  const auto trace = std::find_if(plan.phases.begin(), plan.phases.end(), follows);
  if (trace == plan.phases.end()) return {};
  const std::string load = "load \"" + trace->file.load.use + "\"";
  if (!plan.dataset->has_capability("arrival")) {
    return Error{"dataset.use: \"" + plan.file.dataset.use + "\" has no arrival times, which " + load +
                 " takes from the data; use a dataset that has, such as jsonl"};
  }
  if (plan.file.rows.order == RunFile::Rows::Order::shuffle) {
    return Error{"dataset.rows.order: shuffle cannot go with " + load +
                 ", whose times follow the records; use sequential"};
  }
  return {};
}

Result<void> check_sessions(const WorkloadPlan& plan) {
  const auto counts = [](const PhasePlan& phase) { return phase.file.sessions.has_value(); };
  if (std::none_of(plan.phases.begin(), plan.phases.end(), counts) || plays_sessions(plan)) return {};
  return Error{"phases[].sessions: dataset \"" + plan.file.dataset.use +
               "\" gives no sessions; set dataset.options.sessions: true where it has that, use dataset "
               "multi_turn, or give requests"};
}

// What is done to the servers before and after the load is done once, for all workloads.
void share_servers(std::vector<RunFile>& files) {
  std::vector<RunFile::Adapter> loaded;
  for (RunFile& file : files) {
    file.target.reset_cache = file.target.reset_cache && &file == &files.front();
    file.target.profile = file.target.profile && &file == &files.back();
    for (RunFile::Adapter& adapter : file.model.adapters) {
      const auto same = [&](const RunFile::Adapter& other) {
        return other.name == adapter.name && other.path == adapter.path;
      };
      if (adapter.path.empty()) continue;
      if (std::any_of(loaded.begin(), loaded.end(), same)) {
        adapter.path.clear();
      } else {
        loaded.push_back(adapter);
      }
    }
  }
}

Result<void> choose_io(Plan& plan) {
  using Io = RunFile::Limits::Io;
  if (plan.file.limits.io == Io::epoll) return {};
  const Result<void> works = Poller::try_ring();
  plan.io_uring = works.ok();
  if (works || plan.file.limits.io == Io::automatic) return {};
  return Error{"limits.io: io_uring does not work here: " + works.error().message + "; use epoll or auto"};
}

// Gives the number of file descriptors that there may be.
uint64_t choose_limits(Plan& plan) {
  const RunFile::Limits& limits = plan.file.limits;
  const uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
  plan.io_threads = limits.io_threads > 0 ? limits.io_threads : std::clamp(cores / 4, 1u, 8u);
  plan.spin =
      limits.spin == RunFile::Limits::Spin::automatic ? cores > 2 : limits.spin == RunFile::Limits::Spin::on;
  const uint64_t descriptors = descriptor_limit();
  const uint64_t possible =
      std::min(descriptors > kSpareDescriptors ? descriptors - kSpareDescriptors : 1, local_ports());
  plan.max_in_flight = limits.max_in_flight > 0 ? limits.max_in_flight : possible;
  return descriptors;
}

Result<void> hash_workload(WorkloadPlan& plan) {
  std::vector<std::vector<int64_t>> arrivals;
  for (const PhasePlan& phase : plan.phases) {
    auto times = first_arrivals(phase, kHashedArrivals);
    if (!times) return times.errors();
    arrivals.push_back(std::move(*times));
  }
  plan.hash = workload_hash(plan, arrivals);
  return {};
}

Result<WorkloadPlan> plan_workload(RunFile file, Registry& registry) {
  auto processor = registry.find(TKM_KIND_PROCESSOR, file.processor.use);
  if (!processor) return processor.errors();
  auto dataset = registry.find(TKM_KIND_DATASET, file.dataset.use);
  if (!dataset) return dataset.errors();
  WorkloadPlan plan;
  plan.processor = *processor;
  plan.dataset = *dataset;
  plan.file = std::move(file);
  if (auto made = add_tokenizer(plan, registry); !made) return made.errors();
  for (const RunFile::Phase& phase : plan.file.phases) {
    auto planned = plan_phase(phase, plan.file.seed, registry);
    if (!planned) return planned.errors();
    plan.phases.push_back(std::move(*planned));
  }
  if (plan.file.sweep) {
    auto sweep = plan_sweep(*plan.file.sweep, registry);
    if (!sweep) return sweep.errors();
    plan.sweep = std::move(*sweep);
    plan.phases = known_points(plan);
  }
  if (auto usable = check_trace(plan); !usable) return usable.errors();
  if (auto usable = check_sessions(plan); !usable) return usable.errors();
  if (auto usable = check_fit(plan.file, *plan.dataset, plays_sessions(plan)); !usable)
    return usable.errors();
  plan.data_files = find_data_files(*plan.dataset, plan.file.dataset.options_json);
  if (auto hashed = hash_workload(plan); !hashed) return hashed.errors();
  return plan;
}

// The users of all workloads of a phase are there at the same time.
Result<void> check_capacity(const Plan& plan, uint64_t descriptors) {
  std::map<std::string, uint64_t> users_by_phase;
  for (const WorkloadPlan& workload : plan.workloads) {
    for (const PhasePlan& phase : workload.phases) users_by_phase[phase.file.name] += phase.most_users;
  }
  for (const auto& [phase, users] : users_by_phase) {
    if (users > 0 && users + kSpareDescriptors > descriptors) {
      return Error{"load.options: " + std::to_string(users) + " users need " +
                   std::to_string(users + kSpareDescriptors) + " file descriptors; the limit is " +
                   std::to_string(descriptors) + " (ulimit -n)"};
    }
  }
  return {};
}

}  // namespace

OptionSchema option_schema_of(Registry& registry) {
  return [&registry](std::string_view kind, std::string_view use) -> Result<std::string> {
    auto found = registry.find(kind_of(kind), use);
    if (!found) return found.errors();
    return std::string((*found)->config_schema());
  };
}

bool plays_sessions(const WorkloadPlan& plan) {
  tkm::JsonDocument options;
  if (!plan.dataset->has_capability("sessions")) return false;
  return !tkm::parse_json(plan.file.dataset.options_json, options) ||
         tkm::get_bool(options, "sessions", true);
}

void complete(PhasePlan& phase, uint64_t run_seed) {
  phase.open_loop = !phase.load->has_capability("closed-loop");
  phase.unsteady = phase.load->has_capability("unsteady");
  phase.follows_data = phase.open_loop && phase.load->has_capability("trace");
  count_users(phase);
  phase.seed = run_seed;
  phase.limits = limits_of(phase.file, phase.open_loop);
}

std::vector<Error> about_workload(const std::string& name, std::vector<Error> errors) {
  for (Error& error : errors) error.message = "workload " + name + ": " + error.message;
  return errors;
}

std::vector<Error> errors_of(const Plan& plan, const WorkloadPlan& workload,
                             const std::vector<Error>& errors) {
  return plan.workloads.size() > 1 ? about_workload(workload.file.workload, errors) : errors;
}

const PhasePlan* WorkloadPlan::find_phase(std::string_view name) const {
  const auto found = std::find_if(phases.begin(), phases.end(),
                                  [&](const PhasePlan& phase) { return phase.file.name == name; });
  return found == phases.end() ? nullptr : &*found;
}

Result<Plan> make_plan(RunFile file, Registry& registry) {
  std::vector<RunFile> files = std::move(file.workloads);
  file.workloads.clear();
  if (files.empty()) files.push_back(file);
  share_servers(files);
  Plan plan;
  plan.file = std::move(file);
  const uint64_t descriptors = choose_limits(plan);
  if (auto chosen = choose_io(plan); !chosen) return chosen.errors();
  for (RunFile& one : files) {
    const std::string name = one.workload;
    auto planned = plan_workload(std::move(one), registry);
    if (!planned) return files.size() > 1 ? about_workload(name, planned.errors()) : planned.errors();
    plan.workloads.push_back(std::move(*planned));
  }
  if (auto fits = check_capacity(plan, descriptors); !fits) return fits.errors();
  plan.hash = plan_hash(plan);
  return plan;
}

Result<Dataset> make_dataset(const WorkloadPlan& plan, const tkm_calibration* calibration) {
  CreateOptions options{.config_json = plan.file.dataset.options_json, .seed = plan.file.seed};
  options.extension = [calibration, tokenizer = plan.tokenizer](std::string_view id) -> const void* {
    if (id == "tkm.calibration/1") return calibration;
    return id == "tkm.tokenizer/1" && tokenizer != nullptr ? &tokenizer->table() : nullptr;
  };
  return Dataset::create(*plan.dataset, options);
}

Result<Pattern> make_pattern(const PhasePlan& phase) {
  return Pattern::create(*phase.load, {.config_json = phase.file.load.options_json, .seed = phase.seed});
}

Result<std::vector<int64_t>> first_arrivals(const PhasePlan& phase, size_t at_most, SampleSource* data) {
  std::vector<int64_t> times;
  if (!phase.open_loop || (phase.follows_data && data == nullptr)) return times;
  auto pattern = make_pattern(phase);
  if (!pattern) return pattern.errors();
  PhaseLimits limits = phase.limits;
  limits.cooldown_ns = 0;
  auto row = phase.follows_data ? data->next() : Result(Row{});
  limits.least_ended = 0;
  PhaseScheduler scheduler(*pattern, limits, [&row] { return row ? row->arrival_ns : std::nullopt; });
  for (int64_t horizon_ns = 0; times.size() < at_most;) {
    if (const auto at_ns = scheduler.take_due(0, horizon_ns)) {
      times.push_back(*at_ns);
      if (phase.follows_data) row = data->next();
      continue;
    }
    const int64_t next_ns = scheduler.next_time_ns();
    if (next_ns <= horizon_ns || next_ns == INT64_MAX) break;
    horizon_ns = next_ns;
  }
  if (!row) return row.errors();
  if (!scheduler.fault().empty()) return Error{scheduler.fault()};
  return times;
}

uint64_t first_connections(const PhasePlan& phase) {
  constexpr uint64_t kMost = 1024;  // where requests begin one after the other
  constexpr int64_t kSoonNs = 1'000'000'000;
  constexpr size_t kLooked = 10'000;
  if (!phase.open_loop) return std::max(phase.users_at_once, std::min(phase.most_users, kMost));
  const auto times = first_arrivals(phase, kLooked);
  if (!times) return 1;
  const auto up_to = [&](int64_t last_ns) {
    return static_cast<uint64_t>(std::upper_bound(times->begin(), times->end(), last_ns) - times->begin());
  };
  return std::max({uint64_t{1}, std::min(up_to(kSoonNs), kMost), up_to(0)});
}

}  // namespace tokometer

#include "engine/plan.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include <tokometer/json.hpp>

#include "base/hash.hpp"
#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr int64_t kLongestCooldownNs = 30'000'000'000;
constexpr uint64_t kSpareDescriptors = 64;  // files, timers, epoll sets, the simulator's pipes
constexpr size_t kHashedArrivals = 100'000;

int32_t kind_of(std::string_view kind) {
  if (kind == "processor") return TKM_KIND_PROCESSOR;
  if (kind == "dataset") return TKM_KIND_DATASET;
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
  PhaseLimits limits{.duration_ns = phase.duration_ns, .requests = phase.requests, .open_loop = open_loop};
  if (!phase.duration_ns || !phase.measure) return limits;
  switch (phase.cooldown.kind) {
    case RunFile::Span::Kind::automatic:
      limits.cooldown_ns = kLongestCooldownNs;
      break;
    case RunFile::Span::Kind::duration:
      limits.cooldown_ns = phase.cooldown.ns;
      break;
    case RunFile::Span::Kind::none:
    case RunFile::Span::Kind::count:
      break;
  }
  return limits;
}

Result<PhasePlan> plan_phase(const RunFile::Phase& phase, uint64_t run_seed, Registry& registry) {
  auto load = registry.find(TKM_KIND_PATTERN, phase.load.use);
  if (!load) return load.errors();
  PhasePlan plan;
  plan.file = phase;
  plan.load = *load;
  plan.open_loop = !(*load)->has_capability("closed-loop");
  plan.unsteady = (*load)->has_capability("unsteady");
  plan.seed = run_seed;
  plan.limits = limits_of(phase, plan.open_loop);
  return plan;
}

// A slow server must not leave a point with a handful of answers.
void make_point_long_enough(PhasePlan& plan) {
  constexpr uint64_t kLeastEnded = 10;
  constexpr int64_t kLongestFactor = 4;
  constexpr int64_t kAutomaticWarmupShare = 5;
  const int64_t duration_ns = plan.file.duration_ns.value_or(0);
  plan.limits.least_ended = kLeastEnded;
  plan.limits.longest_ns = kLongestFactor * duration_ns;
  const RunFile::Span& warmup = plan.file.warmup;
  if (warmup.kind == RunFile::Span::Kind::automatic)
    plan.limits.warmup_ns = duration_ns / kAutomaticWarmupShare;
  if (warmup.kind == RunFile::Span::Kind::duration) plan.limits.warmup_ns = warmup.ns;
}

// Canonical options with one number replaced.
std::string with_option(const std::string& options_json, const std::string& option, double value,
                        bool whole) {
  tkm::JsonDocument options;
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object();
  if (tkm::parse_json(options_json, options) && options.IsObject()) {
    for (const auto& member : options.GetObject()) {
      if (tkm::text_of(member.name) != option) json.key(tkm::text_of(member.name)).value(member.value);
    }
  }
  json.key(option);
  if (whole) {
    json.value(static_cast<int64_t>(value));
  } else {
    json.value(value);
  }
  json.end_object();
  return text;
}

bool is_whole(const Component& load, const std::string& option) {
  tkm::JsonDocument schema;
  if (!tkm::parse_json(load.config_schema(), schema)) return false;
  const tkm::Json* properties = tkm::find(schema, "properties");
  const tkm::Json* property = properties != nullptr ? tkm::find(*properties, option) : nullptr;
  return property != nullptr && tkm::get_string(*property, "type") == "integer";
}

Result<SweepPlan> plan_sweep(const RunFile::Sweep& sweep, Registry& registry) {
  SweepPlan plan;
  const auto find = [&](const RunFile::Component& from, const Component*& into) -> Result<void> {
    auto found = registry.find(TKM_KIND_PATTERN, from.use);
    if (!found) return found.errors();
    into = *found;
    return {};
  };
  if (auto found = find(sweep.point.load, plan.load); !found) return found.errors();
  if (auto found = find(sweep.synchronous, plan.synchronous); !found) return found.errors();
  if (auto found = find(sweep.throughput, plan.throughput); !found) return found.errors();
  plan.pattern = plan.load->name();
  plan.whole = is_whole(*plan.load, sweep.option);
  if (sweep.option == "rate" && plan.load->has_capability("closed-loop")) {
    return Error{"sweep: \"" + plan.pattern +
                 "\" is a closed loop and has no rate; set sweep.over to one of its options, such as "
                 "load.options.users"};
  }
  return plan;
}

// The points that do not depend on results, so that plan, hash and checks can speak of them.
std::vector<PhasePlan> known_points(const Plan& plan) {
  std::vector<PhasePlan> points;
  SweepPlanner planner(*plan.file.sweep, plan.sweep->pattern, plan.sweep->whole);
  const bool is_list = plan.file.sweep->method == RunFile::Sweep::Method::list;
  const size_t known = is_list ? plan.file.sweep->values.size() : plan.file.sweep->between ? 1 : 2;
  while (points.size() < known) {
    const auto point = planner.next();
    if (!point) break;
    points.push_back(plan_point(plan, *point));
    planner.ended({.completed_per_s = 0, .over = false, .gates_hold = true});
  }
  return points;
}

int64_t option_users(const RunFile::Component& load) {
  tkm::JsonDocument options;
  if (!tkm::parse_json(load.options_json, options)) return 0;
  return tkm::get_int(options, "users");
}

Result<void> check_capacity(const Plan& plan, uint64_t descriptors) {
  for (const PhasePlan& phase : plan.phases) {
    const int64_t users = option_users(phase.file.load);
    if (users > 0 && static_cast<uint64_t>(users) + kSpareDescriptors > descriptors) {
      return Error{"load.options.users: " + std::to_string(users) + " need " +
                   std::to_string(static_cast<uint64_t>(users) + kSpareDescriptors) +
                   " file descriptors; the limit is " + std::to_string(descriptors) + " (ulimit -n)"};
    }
  }
  return {};
}

// What decides about the points that are chosen later.
void put_sweep(tkm::JsonWriter& json, const RunFile::Sweep& sweep) {
  json.key("sweep").begin_object().member("method", static_cast<int64_t>(sweep.method));
  json.member("points", sweep.points).member("option", sweep.option).member("within", sweep.within);
  json.member("stop", static_cast<int64_t>(sweep.stop));
  json.member("load", sweep.point.load.use).raw_member("options", sweep.point.load.options_json);
  if (sweep.between) json.member("low", sweep.between->first).member("high", sweep.between->second);
  json.end_object();
}

Result<std::string> plan_hash(const Plan& plan) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("seed", plan.file.seed);
  json.member("dataset", plan.file.dataset.use).raw_member("options", plan.file.dataset.options_json);
  if (plan.file.sweep) put_sweep(json, *plan.file.sweep);
  json.key("phases").begin_array();
  for (const PhasePlan& phase : plan.phases) {
    auto arrivals = first_arrivals(phase, kHashedArrivals);
    if (!arrivals) return arrivals.errors();
    json.begin_object().member("name", phase.file.name).member("load", phase.file.load.use);
    json.raw_member("options", phase.file.load.options_json);
    json.member("duration_ns", phase.file.duration_ns.value_or(-1))
        .member("requests", phase.file.requests.value_or(0));
    json.key("arrivals").begin_array();
    for (const int64_t at_ns : *arrivals) json.value(at_ns);
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return sha256_hex(text);
}

std::string describe_sweep(const Plan& plan) {
  const RunFile::Sweep& sweep = *plan.file.sweep;
  const std::string each = format_duration(sweep.point.duration_ns.value_or(0)) + " each";
  const std::string stop =
      sweep.stop == RunFile::Sweep::Stop::saturated ? ", until two in a row are over" : "";
  switch (sweep.method) {
    case RunFile::Sweep::Method::list:
      return "sweep      list of " + std::to_string(sweep.values.size()) + " points, " + each + stop + '\n';
    case RunFile::Sweep::Method::even:
      return "sweep      even, " + std::to_string(sweep.points) + " points, " + each + stop +
             ": after the first two, " + plan.sweep->pattern + " in equal steps between their rates\n";
    case RunFile::Sweep::Method::bisect:
      return "sweep      bisect over load.options." + sweep.option + " of " + plan.sweep->pattern + ", " +
             each + ": the highest value whose gates hold\n";
  }
  return {};
}

std::string describe_length(const PhasePlan& phase) {
  if (phase.file.duration_ns) return format_duration(*phase.file.duration_ns);
  if (phase.file.requests) return std::to_string(*phase.file.requests) + " requests";
  return "until the dataset ends";
}

}  // namespace

OptionSchema option_schema_of(Registry& registry) {
  return [&registry](std::string_view kind, std::string_view use) -> Result<std::string> {
    auto found = registry.find(kind_of(kind), use);
    if (!found) return found.errors();
    return std::string((*found)->config_schema());
  };
}

Result<Plan> make_plan(RunFile file, Registry& registry) {
  auto processor = registry.find(TKM_KIND_PROCESSOR, file.processor.use);
  if (!processor) return processor.errors();
  auto dataset = registry.find(TKM_KIND_DATASET, file.dataset.use);
  if (!dataset) return dataset.errors();
  Plan plan;
  plan.processor = *processor;
  plan.dataset = *dataset;
  for (const RunFile::Phase& phase : file.phases) {
    auto planned = plan_phase(phase, file.seed, registry);
    if (!planned) return planned.errors();
    plan.phases.push_back(std::move(*planned));
  }
  if (file.sweep) {
    auto sweep = plan_sweep(*file.sweep, registry);
    if (!sweep) return sweep.errors();
    plan.sweep = std::move(*sweep);
  }
  const uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
  plan.io_threads = file.limits.io_threads > 0 ? file.limits.io_threads : std::clamp(cores / 4, 1u, 8u);
  const RunFile::Limits::Spin spin = file.limits.spin;
  plan.spin = spin == RunFile::Limits::Spin::automatic ? cores > 2 : spin == RunFile::Limits::Spin::on;
  const uint64_t descriptors = descriptor_limit();
  const uint64_t possible =
      std::min(descriptors > kSpareDescriptors ? descriptors - kSpareDescriptors : 1, local_ports());
  plan.max_in_flight = file.limits.max_in_flight > 0 ? file.limits.max_in_flight : possible;
  plan.file = std::move(file);
  if (plan.sweep) plan.phases = known_points(plan);
  if (auto fits = check_capacity(plan, descriptors); !fits) return fits.errors();
  auto hash = plan_hash(plan);
  if (!hash) return hash.errors();
  plan.hash = std::move(*hash);
  return plan;
}

PhasePlan plan_point(const Plan& plan, const SweepPoint& point) {
  const RunFile::Sweep& sweep = *plan.file.sweep;
  PhasePlan planned;
  planned.file = sweep.point;
  planned.file.name = point.name;
  planned.file.duration_ns = point.duration_ns;
  planned.load = plan.sweep->load;
  if (point.load == SweepPoint::Load::synchronous) {
    planned.load = plan.sweep->synchronous;
    planned.file.load = sweep.synchronous;
  } else if (point.load == SweepPoint::Load::throughput) {
    planned.load = plan.sweep->throughput;
    planned.file.load = sweep.throughput;
  } else {
    planned.file.load.options_json =
        with_option(sweep.point.load.options_json, sweep.option, *point.value, plan.sweep->whole);
  }
  planned.value = point.value;
  planned.open_loop = !planned.load->has_capability("closed-loop");
  planned.unsteady = planned.load->has_capability("unsteady");
  planned.seed = plan.file.seed;
  planned.limits = limits_of(planned.file, planned.open_loop);
  make_point_long_enough(planned);
  return planned;
}

Result<Pattern> make_pattern(const PhasePlan& phase) {
  return Pattern::create(*phase.load, {.config_json = phase.file.load.options_json, .seed = phase.seed});
}

Result<std::vector<int64_t>> first_arrivals(const PhasePlan& phase, size_t at_most) {
  std::vector<int64_t> times;
  if (!phase.open_loop) return times;
  auto pattern = make_pattern(phase);
  if (!pattern) return pattern.errors();
  PhaseLimits limits = phase.limits;
  limits.cooldown_ns = 0;
  limits.least_ended = 0;
  PhaseScheduler scheduler(*pattern, limits);
  for (int64_t horizon_ns = 0; times.size() < at_most;) {
    if (const auto at_ns = scheduler.take_due(0, horizon_ns)) {
      times.push_back(*at_ns);
      continue;
    }
    const int64_t next_ns = scheduler.next_time_ns();
    if (next_ns <= horizon_ns || next_ns == INT64_MAX) break;
    horizon_ns = next_ns;
  }
  if (!scheduler.fault().empty()) return Error{scheduler.fault()};
  return times;
}

Result<std::string> describe_plan(const Plan& plan) {
  constexpr size_t kCounted = 1'000'000;
  constexpr size_t kShown = 5;
  std::string text = "processor  " + plan.file.processor.use + "\ndataset    " + plan.file.dataset.use + '\n';
  if (plan.file.sweep) text += describe_sweep(plan);
  for (const PhasePlan& phase : plan.phases) {
    auto arrivals = first_arrivals(phase, kCounted);
    if (!arrivals) return arrivals.errors();
    text += (plan.file.sweep ? "point      " : "phase      ") + phase.file.name + ": " + phase.file.load.use +
            " " + phase.file.load.options_json + ", " + describe_length(phase) +
            (phase.open_loop ? ", open loop" : ", closed loop") + '\n';
    if (arrivals->empty()) continue;
    if (phase.file.duration_ns || phase.file.requests) {
      text += "           " + std::string(arrivals->size() == kCounted ? "at least " : "") +
              std::to_string(arrivals->size()) + " requests up to the end of the window\n";
    }
    text += "           first arrivals, s:";
    for (size_t i = 0; i < std::min(kShown, arrivals->size()); ++i) {
      char number[32];
      std::snprintf(number, sizeof number, " %.6f", static_cast<double>((*arrivals)[i]) * 1e-9);
      text += number;
    }
    text += '\n';
  }
  text += "limits     " + std::to_string(plan.io_threads) + " I/O threads, " +
          (plan.spin ? "sends by spin" : "sends by timer") + ", at most " +
          std::to_string(plan.max_in_flight) + " requests in flight\n";
  return text + "plan hash  " + plan.hash + '\n';
}

}  // namespace tokometer

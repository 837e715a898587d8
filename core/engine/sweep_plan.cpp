#include "engine/sweep_plan.hpp"

#include <utility>

#include <tokometer/json.hpp>

#include "base/text.hpp"

namespace tokometer {
namespace {

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
    for (const auto& member : std::as_const(options).GetObject()) {
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

}  // namespace

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
  if (plan.load->has_capability("trace")) {
    return Error{"sweep: \"" + plan.pattern +
                 "\" takes its times from the data; a sweep needs a rate or users to step through"};
  }
  plan.whole = is_whole(*plan.load, sweep.option);
  if (sweep.option == "rate" && plan.load->has_capability("closed-loop")) {
    return Error{"sweep: \"" + plan.pattern +
                 "\" is a closed loop and has no rate; set sweep.over to one of its options, such as "
                 "load.options.users"};
  }
  return plan;
}

std::vector<PhasePlan> known_points(const WorkloadPlan& plan) {
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

PhasePlan plan_point(const WorkloadPlan& plan, const SweepPoint& point) {
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
  complete(planned, plan.file.seed);
  make_point_long_enough(planned);
  return planned;
}

std::string describe_sweep(const WorkloadPlan& plan) {
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

}  // namespace tokometer

#include "engine/phase_line.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <tokometer/json.hpp>

namespace tokometer {
namespace {

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

// By the names of options that the bundled patterns use.
void say_load(const RunFile::Component& load, PhaseLine& line) {
  line.load = load.use;
  line.load_options = load.options_json;
  tkm::JsonDocument options;
  if (!tkm::parse_json(load.options_json, options)) return;
  const tkm::Json* rate = tkm::find(options, "rate");
  if (rate != nullptr && rate->IsNumber()) line.rate_per_s = rate->GetDouble();
  const int64_t users = tkm::get_int(options, "users");
  if (users > 0) line.users = static_cast<uint64_t>(users);
}

}  // namespace

void say_plan(const Plan& plan, const PhasePlan& phase, PhaseLine& line) {
  line.duration_ns = phase.file.duration_ns;
  line.requests = phase.file.requests;
  line.sessions = phase.file.sessions;
  line.warmup = span_of(phase.file.warmup);
  line.cooldown = span_of(phase.file.cooldown);
  line.measure = phase.file.measure;
  line.open_loop = phase.open_loop;
  line.unsteady = phase.unsteady;
  say_load(phase.file.load, line);
  line.value = phase.value;
  line.max_in_flight = plan.max_in_flight;
  line.overload = overload_name(plan.file.limits.overload);
}

}  // namespace tokometer

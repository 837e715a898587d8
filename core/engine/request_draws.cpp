#include "engine/request_draws.hpp"

#include <string>

#include "engine/timer_wheel.hpp"

namespace tokometer {

std::string_view RequestDraws::adapter() {
  const auto& mix = file_.model.adapters;
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

int64_t RequestDraws::cancel_after_ns(uint64_t number) const {
  const auto& cancel = file_.request.cancel;
  if (!cancel) return TimerWheel::kNever;
  tkm::Random random(file_.seed, "cancel" + std::to_string(number));
  return random.chance(cancel->share) ? cancel->after_ns : TimerWheel::kNever;
}

}  // namespace tokometer

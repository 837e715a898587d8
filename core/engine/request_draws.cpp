#include "engine/request_draws.hpp"

#include <string>
#include <vector>

#include "engine/timer_wheel.hpp"

namespace tokometer {
namespace {

template <class Share>
std::string_view drawn(const std::vector<Share>& mix, tkm::Random& random) {
  if (mix.empty()) return {};
  double total = 0;
  for (const Share& share : mix) total += share.weight;
  double at = random.uniform(0, total);
  for (const Share& share : mix) {
    if (at < share.weight) return share.name;
    at -= share.weight;
  }
  return mix.back().name;
}

}  // namespace

std::string_view RequestDraws::model() {
  return drawn(file_.model.mix, models_);
}

std::string_view RequestDraws::adapter() {
  return drawn(file_.model.adapters, adapters_);
}

int64_t RequestDraws::cancel_after_ns(uint64_t number) const {
  const auto& cancel = file_.request.cancel;
  if (!cancel) return TimerWheel::kNever;
  tkm::Random random(file_.seed, "cancel" + std::to_string(number));
  return random.chance(cancel->share) ? cancel->after_ns : TimerWheel::kNever;
}

}  // namespace tokometer

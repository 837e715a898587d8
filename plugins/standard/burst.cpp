// Open loop: many requests at the same instant, over and over, on top of a steady stream.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "arrivals.hpp"
#include "components.hpp"

namespace standard {
namespace {

constexpr double kNsPerS = 1e9;

struct BurstOptions {
  int64_t size = 1;
  double every_s = 1;
  double base_rate = 0;
  std::string arrivals = "even";

  static void options(tkm::OptionSet<BurstOptions>& o) {
    o.add("size", &BurstOptions::size)
        .help("Requests that start at the same instant.")
        .required()
        .at_least(1)
        .at_most(1'000'000)
        .example("50");
    o.add("every", &BurstOptions::every_s)
        .help("From one burst to the next; the first comes at once.")
        .duration()
        .required()
        .above(0)
        .example("\"10s\"");
    o.add("base_rate", &BurstOptions::base_rate)
        .help("Requests per second besides the bursts.")
        .at_least(0)
        .example("2");
    Arrivals::declare(o, &BurstOptions::arrivals);
  }
};

class Burst {
 public:
  static constexpr auto kId = "burst", kSummary = "open loop: many requests at once, over and over";
  static constexpr std::array kCapabilities{"open-loop", "unsteady"};
  using Options = BurstOptions;

  Burst(const Options& options, const tkm_create_args& args)
      : options_(options), base_(options.arrivals, args.seed, "burst") {}

  tkm::LoadStep next(const tkm_load_state&) {
    const uint64_t burst = in_bursts_ / static_cast<uint64_t>(options_.size);
    const int64_t burst_ns = whole_ns(static_cast<double>(burst) * options_.every_s * kNsPerS);
    const int64_t base_ns = next_base_ns();
    if (base_ns < burst_ns) return base_.advance(), tkm::release_at(base_ns);
    ++in_bursts_;
    return tkm::release_at(burst_ns);
  }

 private:
  int64_t next_base_ns() const {
    if (options_.base_rate <= 0) return std::numeric_limits<int64_t>::max();
    return whole_ns(base_.count() * kNsPerS / options_.base_rate);
  }

  Options options_;
  Arrivals base_;
  uint64_t in_bursts_ = 0;  // released in bursts so far
};

}  // namespace

const tkm_component* burst_pattern() {
  return tkm::pattern<Burst>();
}

}  // namespace standard

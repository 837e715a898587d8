// Open loop: the records of the dataset say when they arrive; the core hands over one arrival at a time,
// counted from the phase's first. DONE where the data end.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>

#include "arrivals.hpp"
#include "components.hpp"

namespace standard {
namespace {

struct TraceOptions {
  double speed = 1;

  static void options(tkm::OptionSet<TraceOptions>& o) {
    o.add("speed", &TraceOptions::speed)
        .help("How much faster than recorded: 2 halves all gaps, 0.5 doubles them.")
        .above(0)
        .example("2");
  }
};

class Trace {
 public:
  static constexpr auto kId = "trace", kSummary = "open loop: arrival times from the dataset's records";
  static constexpr std::array kCapabilities{"open-loop", "trace", "unsteady"};
  using Options = TraceOptions;

  explicit Trace(const Options& options) : speed_(options.speed) {}

  tkm::LoadStep next(const tkm_load_state& state) {
    done_ = done_ || state.next_arrival_ns < 0;
    if (done_) return tkm::load_done();
    // Undivided where it can be: a double does not hold each ns of a trace of half a year.
    if (speed_ == 1) return tkm::release_at(state.next_arrival_ns);
    return tkm::release_at(whole_ns(static_cast<double>(state.next_arrival_ns) / speed_));
  }

 private:
  double speed_;
  bool done_ = false;
};

}  // namespace

const tkm_component* trace_pattern() {
  return tkm::pattern<Trace>();
}

}  // namespace standard

// Open loops whose rate changes by a plan: ramp, steps, sine. A release follows from its number, options and
// seed alone (arrivals.hpp, rate_shape.hpp). Where the rate falls to 0 for ever the pattern waits for that
// time, then is DONE.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "arrivals.hpp"
#include "components.hpp"
#include "rate_shape.hpp"

namespace standard {
namespace {

constexpr double kNsPerS = 1e9;

template <class Shape>
class ChangingRate {
 public:
  ChangingRate(const Shape& shape, const std::string& arrivals, const tkm_create_args& args,
               std::string_view stream)
      : shape_(shape), end_ns_(whole_ns(shape.end_s() * kNsPerS)), arrivals_(arrivals, args.seed, stream) {}

  tkm::LoadStep next(const tkm_load_state& state) {
    if (!ended_) {
      const int64_t at_ns = whole_ns(shape_.when_s(arrivals_.count()) * kNsPerS);
      ended_ = at_ns >= end_ns_ && std::isfinite(shape_.end_s());
      if (!ended_) return arrivals_.advance(), tkm::release_at(at_ns);
    }
    done_ = done_ || state.now_ns >= end_ns_;
    return done_ ? tkm::load_done() : tkm::wait_until(end_ns_);
  }

 private:
  Shape shape_;
  int64_t end_ns_;
  Arrivals arrivals_;
  bool ended_ = false;  // all releases are made
  bool done_ = false;   // and their time is over
};

struct RampOptions {
  double from = 0, to = 0, over_s = 0;
  std::string shape = "linear", arrivals = "even";

  static void options(tkm::OptionSet<RampOptions>& o) {
    o.add("from", &RampOptions::from)
        .help("Requests per second at the start (sessions, where the dataset has them).")
        .required()
        .at_least(0)
        .example("1");
    o.add("to", &RampOptions::to)
        .help("Requests per second at the end of the ramp, and after it.")
        .required()
        .at_least(0)
        .example("100");
    o.add("over", &RampOptions::over_s)
        .help("How long the ramp takes.")
        .duration()
        .required()
        .above(0)
        .example("\"5m\"");
    o.add("shape", &RampOptions::shape)
        .one_of({"linear", "exp"})
        .help("linear: the rate grows by the same amount each second; exp: by the same factor.");
    Arrivals::declare(o, &RampOptions::arrivals);
  }
};

class Ramp : public ChangingRate<RampRate> {
 public:
  static constexpr auto kId = "ramp", kSummary = "open loop: from one rate to another";
  static constexpr std::array kCapabilities{"open-loop", "unsteady"};
  using Options = RampOptions;
  Ramp(const Options& o, const tkm_create_args& args)
      : ChangingRate(RampRate(o.from, o.to, o.over_s, ramp_shape(o.shape)), o.arrivals, args, "ramp") {}
};

struct StepOptions {
  double rate = 0, duration_s = 0;

  static void options(tkm::OptionSet<StepOptions>& o) {
    o.add("rate", &StepOptions::rate).help("Requests per second; 0: a pause.").required().at_least(0);
    o.add("duration", &StepOptions::duration_s).help("How long.").duration().required().above(0);
  }
};

struct StepsOptions {
  std::vector<StepOptions> steps;
  std::string arrivals = "even";

  static void options(tkm::OptionSet<StepsOptions>& o) {
    o.add("steps", &StepsOptions::steps)
        .help("One rate after the other; the load ends behind the last.")
        .required()
        .min_items(1)
        .example(R"([{"rate":5,"duration":"2m"},{"rate":50,"duration":"5m"}])");
    Arrivals::declare(o, &StepsOptions::arrivals);
  }
  std::vector<StepRates::Step> rates() const {
    std::vector<StepRates::Step> rates;
    for (const StepOptions& step : steps) rates.push_back({step.rate, step.duration_s});
    return rates;
  }
};

class Steps : public ChangingRate<StepRates> {
 public:
  static constexpr auto kId = "steps", kSummary = "open loop: one rate after another, each for a time";
  static constexpr std::array kCapabilities{"open-loop", "unsteady"};
  using Options = StepsOptions;
  Steps(const Options& o, const tkm_create_args& args)
      : ChangingRate(StepRates(o.rates()), o.arrivals, args, "steps") {}
};

struct SineOptions {
  double mean = 1, amplitude = 0, period_s = 0;
  std::string arrivals = "even";

  static void options(tkm::OptionSet<SineOptions>& o) {
    o.add("mean", &SineOptions::mean)
        .help("Requests per second on average; the load begins there, rising.")
        .required()
        .above(0)
        .example("20");
    o.add("amplitude", &SineOptions::amplitude)
        .help("How far the rate swings to both sides: from 0 to the mean.")
        .required()
        .at_least(0)
        .example("15");
    o.add("period", &SineOptions::period_s)
        .help("From one peak to the next.")
        .duration()
        .required()
        .above(0)
        .example("\"10m\"");
    Arrivals::declare(o, &SineOptions::arrivals);
  }
};

class Sine : public ChangingRate<SineRate> {
 public:
  static constexpr auto kId = "sine", kSummary = "open loop: a rate that swings, as day and night do";
  static constexpr std::array kCapabilities{"open-loop", "unsteady"};
  using Options = SineOptions;
  Sine(const Options& o, const tkm_create_args& args)
      : ChangingRate(SineRate(o.mean, o.amplitude, o.period_s), o.arrivals, args, "sine") {}
};

}  // namespace

const tkm_component* ramp_pattern() {
  return tkm::pattern<Ramp>();
}
const tkm_component* steps_pattern() {
  return tkm::pattern<Steps>();
}
const tkm_component* sine_pattern() {
  return tkm::pattern<Sine>();
}

}  // namespace standard

// Open loops with a steady rate: each release follows from the seed and the options alone. What has ended,
// and when it is asked, changes nothing. None of them ever says DONE: limits of time and count are the
// core's.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <array>
#include <cstdint>

#include "arrivals.hpp"
#include "components.hpp"

namespace standard {
namespace {

constexpr double kNsPerS = 1e9;

struct RateOptions {
  double rate = 1;

  template <class T>
  static void declare(tkm::OptionSet<T>& o, double T::*member) {
    o.add("rate", member)
        .help("Requests per second (sessions, where the dataset has them).")
        .required()
        .above(0)
        .example("8");
  }
  static void options(tkm::OptionSet<RateOptions>& o) { declare(o, &RateOptions::rate); }
};

class Constant {
 public:
  static constexpr auto kId = "constant", kSummary = "open loop: one request every 1/rate seconds";
  static constexpr std::array kCapabilities{"open-loop"};
  using Options = RateOptions;

  explicit Constant(const Options& options) : rate_(options.rate) {}

  // From the number of the release, not from the one before: rounding never adds up.
  tkm::LoadStep next(const tkm_load_state&) {
    return tkm::release_at(whole_ns(static_cast<double>(released_++) * kNsPerS / rate_));
  }

 private:
  double rate_;
  uint64_t released_ = 0;
};

class Poisson {
 public:
  static constexpr auto kId = "poisson", kSummary = "open loop: independent arrivals with a mean rate";
  static constexpr std::array kCapabilities{"open-loop"};
  using Options = RateOptions;

  Poisson(const Options& options, const tkm_create_args& args)
      : mean_gap_ns_(kNsPerS / options.rate), arrivals_(args.seed, "poisson") {}

  tkm::LoadStep next(const tkm_load_state&) {
    at_ns_ += arrivals_.exponential(mean_gap_ns_);
    return tkm::release_at(whole_ns(at_ns_));
  }

 private:
  double mean_gap_ns_;
  tkm::Random arrivals_;
  double at_ns_ = 0;
};

struct GammaOptions {
  double rate = 1;
  double burstiness = 1;

  static void options(tkm::OptionSet<GammaOptions>& o) {
    RateOptions::declare(o, &GammaOptions::rate);
    o.add("burstiness", &GammaOptions::burstiness)
        .help(
            "Shape of the gamma distribution of the gaps: 1 is poisson, below 1 comes in bursts, above 1 is "
            "more even.")
        .above(0)
        .example("0.5");
  }
};

class Gamma {
 public:
  static constexpr auto kId = "gamma", kSummary = "open loop: arrivals in bursts, or more even than poisson";
  static constexpr std::array kCapabilities{"open-loop"};
  using Options = GammaOptions;

  Gamma(const Options& options, const tkm_create_args& args)
      : shape_(options.burstiness),
        scale_ns_(kNsPerS / options.rate / options.burstiness),
        arrivals_(args.seed, "gamma") {}

  tkm::LoadStep next(const tkm_load_state&) {
    at_ns_ += arrivals_.gamma(shape_, scale_ns_);
    return tkm::release_at(whole_ns(at_ns_));
  }

 private:
  double shape_;
  double scale_ns_;
  tkm::Random arrivals_;
  double at_ns_ = 0;
};

}  // namespace

const tkm_component* constant_pattern() {
  return tkm::pattern<Constant>();
}
const tkm_component* poisson_pattern() {
  return tkm::pattern<Poisson>();
}
const tkm_component* gamma_pattern() {
  return tkm::pattern<Gamma>();
}

}  // namespace standard

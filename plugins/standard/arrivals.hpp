// Counts that a rate which changes over time is asked about: request number k is due when the integrated rate
// has reached its count. Even: k itself, so that the schedule follows the rate exactly. Poisson: the sum of k
// independent exponential steps of mean 1, so that arrivals are independent of each other (time rescaling).
// Used by the open loops whose rate changes; one thread.
#pragma once

#include <tokometer/options.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace standard {

// Very slow rates reach times that no int64_t holds; they stay at the end of time (292 years).
inline int64_t whole_ns(double at_ns) {
  return std::llround(std::min(at_ns, 9.2e18));
}

class Arrivals {
 public:
  // `kind` is a value of the option that `declare` adds; `stream` names the random numbers.
  Arrivals(std::string_view kind, uint64_t seed, std::string_view stream)
      : poisson_(kind == "poisson"), steps_(seed, stream), count_(poisson_ ? steps_.exponential(1) : 0) {}

  double count() const { return count_; }  // of the next request
  void advance() {
    ++taken_;  // even counts come from the number of the request: rounding never adds up
    count_ = poisson_ ? count_ + steps_.exponential(1) : static_cast<double>(taken_);
  }

  template <class T>
  static void declare(tkm::OptionSet<T>& o, std::string T::*member) {
    o.add("arrivals", member)
        .one_of({"even", "poisson"})
        .help("even: spaced exactly as the rate says; poisson: independent of each other, with that rate.");
  }

 private:
  bool poisson_;
  tkm::Random steps_;
  uint64_t taken_ = 0;
  double count_;
};

}  // namespace standard

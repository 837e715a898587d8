// How a rate changes over the time of a phase, and when a number of requests is due under it: the inverse of
// the integrated rate. All in closed form, or solved to the last bit, so that no error adds up however long
// the load runs. Only arithmetic that is equal on every machine (tokometer/random.hpp says why).
//
// Each shape has
//   double when_s(double count)  the time at which more than `count` requests have become due; never falls
//   with
//                                the count; infinity: that many never become due
//   double end_s()               from here on the rate is 0 for ever; infinity: it never is
// Values; made from options that have been checked here: what does not fit is thrown as an Error
// (TKM_E_CONFIG).
#pragma once

#include <string_view>
#include <vector>

namespace standard {

// How a quantity goes from one value to another.
enum class RampShape { linear, exponential };
RampShape ramp_shape(std::string_view word);  // "linear", "exp"

// From one rate to another, then steady at that one. Rates per second.
class RampRate {
 public:
  RampRate(double from, double to, double over_s, RampShape shape);
  double when_s(double count) const;
  double end_s() const;

 private:
  double within_s(double count) const;  // during the ramp

  RampShape shape_;
  double from_, to_, over_s_;
  double growth_;      // exponential: logarithm of to / from
  double ramp_count_;  // requests of the whole ramp
};

// One rate after another, each for a time.
class StepRates {
 public:
  struct Step {
    double rate = 0, duration_s = 0;
  };

  explicit StepRates(const std::vector<Step>& steps);
  double when_s(double count) const;
  double end_s() const { return parts_.back().end_s; }

 private:
  struct Part {
    double rate, begin_s, end_s, begin_count, end_count;
  };
  std::vector<Part> parts_;
};

// mean + amplitude * sin(2 pi t / period).
class SineRate {
 public:
  SineRate(double mean, double amplitude, double period_s);
  double when_s(double count) const;
  double end_s() const;

 private:
  double phase_of(double count) const;  // 0 to 1, for a count within one period

  double mean_, amplitude_, period_s_;
};

}  // namespace standard

#include "rate_shape.hpp"

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace standard {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kPi = 3.141592653589793;

std::string shown(double number) {
  std::string text;
  tkm::JsonWriter(text).value(number);
  return text;
}

// ln(1 + y) / y, also where y is so small that 1 + y rounds it away; 1 at 0.
double log_ratio(double y) {
  if (std::abs(y) > 0.01) return tkm::random_detail::log(1 + y) / y;
  double sum = 0;
  for (int n = 10; n >= 1; --n) sum = 1.0 / n - y * sum;
  return sum;
}

struct HalfTurn {
  double sine, cosine;
};

// Of pi * x, 0 <= x <= 1, by Taylor's series for an angle of up to pi / 4.
HalfTurn half_turn(double x) {
  const double from_end = std::min(x, 1 - x);
  const bool steep = from_end <= 0.25;  // near a zero of the sine
  const double angle = kPi * (steep ? from_end : 0.5 - from_end), square = angle * angle;
  double sine = 1, cosine = 1;
  for (int n = 18; n >= 2; n -= 2) {
    sine = 1 - sine * square / (n * (n + 1));
    cosine = 1 - cosine * square / (n * (n - 1));
  }
  sine *= angle;
  const double across = steep ? cosine : sine;
  return {steep ? sine : cosine, x <= 0.5 ? across : -across};
}

// Ten steps of 0.1 request are one request, not a hair less.
double without_dust(double count) {
  const double whole = std::floor(count + 0.5);
  return std::abs(count - whole) <= 1e-12 * whole ? whole : count;
}

}  // namespace

RampShape ramp_shape(std::string_view word) {
  return word == "exp" ? RampShape::exponential : RampShape::linear;
}

RampRate::RampRate(double from, double to, double over_s, RampShape shape)
    : shape_(shape),
      from_(from),
      to_(to),
      over_s_(over_s),
      growth_(0),
      ramp_count_((from + to) / 2 * over_s) {
  if (from <= 0 && to <= 0) throw tkm::config_error("from, to: one of the two rates must be above 0");
  if (shape != RampShape::exponential) return;
  if (from <= 0 || to <= 0) {
    throw tkm::config_error(
        std::string(from <= 0 ? "from" : "to") +
        ": a rate of 0 has no place in an exponential ramp; use a small one, or shape: linear");
  }
  growth_ = tkm::random_detail::log(to / from);
  // (to - from) / growth, which is from / (ln(1 + y) / y) with y = to / from - 1.
  ramp_count_ = from / log_ratio(to / from - 1) * over_s;
}

double RampRate::within_s(double count) const {
  if (shape_ == RampShape::exponential) {
    const double at_first_rate_s = count / from_;
    return at_first_rate_s * log_ratio(growth_ * at_first_rate_s / over_s_);
  }
  // The root of from t + (to - from) t^2 / (2 over) = count, in the form that cancels nothing.
  const double slope = (to_ - from_) / over_s_;
  const double root = std::sqrt(std::max(0.0, from_ * from_ + 2 * slope * count));
  return count <= 0 ? 0 : 2 * count / (from_ + root);
}

double RampRate::when_s(double count) const {
  if (count < ramp_count_) return std::min(within_s(count), over_s_);
  return to_ > 0 ? over_s_ + (count - ramp_count_) / to_ : kNever;
}

double RampRate::end_s() const {
  return to_ > 0 ? kNever : over_s_;
}

StepRates::StepRates(const std::vector<Step>& steps) {
  double begin_s = 0, count = 0;
  for (const Step& step : steps) {
    const double end_count = without_dust(count + step.rate * step.duration_s);
    parts_.push_back({step.rate, begin_s, begin_s + step.duration_s, count, end_count});
    begin_s += step.duration_s;
    count = end_count;
  }
  if (count <= 0) throw tkm::config_error("steps: at least one of the rates must be above 0");
}

double StepRates::when_s(double count) const {
  const auto part = std::upper_bound(parts_.begin(), parts_.end(), count,
                                     [](double wanted, const Part& p) { return wanted < p.end_count; });
  if (part == parts_.end()) return kNever;
  return std::min(part->begin_s + (count - part->begin_count) / part->rate, part->end_s);
}

SineRate::SineRate(double mean, double amplitude, double period_s)
    : mean_(mean), amplitude_(amplitude), period_s_(period_s) {
  if (amplitude <= mean) return;
  throw tkm::config_error("amplitude: " + shown(amplitude) + " is above the mean " + shown(mean) +
                          ": the rate would fall below 0");
}

double SineRate::end_s() const {
  return kNever;
}

// Newton's method on a function that never falls, kept inside an interval that always holds the root.
double SineRate::phase_of(double count) const {
  const double whole = mean_ * period_s_, swing = amplitude_ * period_s_ / kPi;
  double low = 0, high = 1, phase = std::min(count / whole, 1.0);
  for (int step = 0; step < 100; ++step) {
    const HalfTurn turn = half_turn(phase);
    const double excess = whole * phase + swing * turn.sine * turn.sine - count;
    (excess > 0 ? high : low) = phase;
    const double slope = whole + 2 * kPi * swing * turn.sine * turn.cosine;
    double next = phase - excess / slope;
    if (!(next > low && next < high)) next = low + (high - low) / 2;
    if (excess == 0 || std::abs(next - phase) <= 1e-16) break;
    phase = next;
  }
  return phase;
}

double SineRate::when_s(double count) const {
  const double per_period = mean_ * period_s_, periods = std::floor(count / per_period);
  const double rest = std::max(0.0, count - periods * per_period);
  return (periods + phase_of(std::min(rest, per_period))) * period_s_;
}

}  // namespace standard

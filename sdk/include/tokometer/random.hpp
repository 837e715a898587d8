// Random numbers that are the same everywhere: on every standard library, C library, compiler and processor,
// so that a run can be replayed, and split over machines. Hence no std:: distributions and no libm (its log()
// may differ in the last bit from CPU to CPU): only integer arithmetic and IEEE + - * / sqrt, which are exact
// by definition. Built with -ffp-contract=off (the tokometer_sdk target brings it), since a fused
// multiply-add would round differently.
//
//   tkm::Random arrivals(seed, "arrivals");  double gap_s = arrivals.exponential(1 / rate);
//
// A Random belongs to one thread. Two with the same seed and stream name give the same numbers; other names,
// others.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

namespace tkm {

namespace random_detail {

inline constexpr double kLn2High = 0x1.62e42fefa0000p-1,
                        kLn2Low = 0x1.cf79abc9e3b3ap-40;  // their sum is ln 2

// Natural logarithm of a normal number > 0, within 2 units in the last place.
inline double log(double value) {
  auto bits = std::bit_cast<uint64_t>(value);
  auto exponent = static_cast<int64_t>(bits >> 52u) - 1023;
  bits = (bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u;
  double mantissa = std::bit_cast<double>(bits);  // 1 to 2
  if (mantissa > 1.4142135623730951) mantissa *= 0.5, ++exponent;
  const double s = (mantissa - 1) / (mantissa + 1);  // ln m = 2 (s + s^3/3 + s^5/5 ...), |s| < 0.172
  const double square = s * s;
  double sum = 0;
  for (int n = 23; n >= 3; n -= 2) sum = (sum + 1.0 / n) * square;
  const auto scale = static_cast<double>(exponent);
  return scale * kLn2High + (2 * s + (2 * s * sum + scale * kLn2Low));
}

// e to the power of a number from -700 to 700, within 2 units in the last place; beyond them that of the
// limit.
inline double exp(double value) {
  value = value > 700 ? 700 : value < -700 ? -700 : value;
  const double scale = std::floor(value * 1.4426950408889634 + 0.5);
  const double rest = value - scale * kLn2High - scale * kLn2Low;  // |rest| < 0.347
  double sum = 1;
  for (int n = 14; n >= 1; --n) sum = 1 + sum * rest / n;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(scale) + 1023) << 52u);
}

}  // namespace random_detail

class Random {
 public:
  // `stream` names what the numbers are for ("lengths", "arrivals"), so that one more draw in one place
  // changes nothing in another.
  explicit Random(uint64_t seed, std::string_view stream = "") {
    uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
    for (const char letter : stream) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3;
    uint64_t state = seed ^ hash;
    for (uint64_t& word : state_) word = splitmix(state);
  }

  // All 64 bits alike (xoshiro256**).
  uint64_t bits() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17u;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // 0 <= x < 1, in steps of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11u) * 0x1p-53; }
  // low <= x < high.
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  // A whole number, 0 <= x < count, each alike; 0 for a count of 0.
  uint64_t below(uint64_t count) {
    if (count < 2) return 0;
    const uint64_t mask = ~uint64_t{0} >> static_cast<unsigned>(std::countl_zero(count - 1));
    uint64_t candidate = bits() & mask;
    while (candidate >= count) candidate = bits() & mask;
    return candidate;
  }
  // A whole number, low <= x <= high, each alike.
  int64_t integer(int64_t low, int64_t high) {
    const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    const uint64_t step = span == std::numeric_limits<uint64_t>::max() ? bits() : below(span + 1);
    return static_cast<int64_t>(static_cast<uint64_t>(low) + step);
  }
  // True in `probability` of all cases.
  bool chance(double probability) { return uniform() < probability; }

  // Exponential with this mean; the gap between arrivals of a Poisson process.
  double exponential(double mean) { return -mean * random_detail::log(1 - uniform()); }

  // Normal (Marsaglia's polar method; the second number of a pair is kept for the next call).
  double normal(double mean = 0, double stddev = 1) {
    if (has_spare_) return has_spare_ = false, mean + stddev * spare_;
    double x = 0, y = 0, square = 0;
    do {
      x = 2 * uniform() - 1, y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * random_detail::log(square) / square);
    spare_ = y * factor, has_spare_ = true;
    return mean + stddev * x * factor;
  }

  // Lognormal with this mean and standard deviation of the result itself (not of its logarithm); mean > 0.
  double lognormal(double mean, double stddev) {
    const double variance = random_detail::log(1 + (stddev / mean) * (stddev / mean));
    return random_detail::exp(normal(random_detail::log(mean) - variance / 2, std::sqrt(variance)));
  }

  // Gamma with this shape > 0 and scale > 0; its mean is their product (Marsaglia and Tsang).
  double gamma(double shape, double scale) {
    if (shape < 1) {  // drawn for shape + 1, then pulled down
      const double pull = random_detail::log(1 - uniform()) / shape;
      return gamma(shape + 1, scale) * random_detail::exp(pull);
    }
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = normal();
      const double root = 1 + c * x;
      if (root <= 0) continue;
      const double v = root * root * root;
      if (random_detail::log(1 - uniform()) < x * x / 2 + d - d * v + d * random_detail::log(v))
        return d * v * scale;
    }
  }

  // Brings the items of an array or vector into a random order (Fisher and Yates).
  template <class Items>
  void shuffle(Items& items) {
    for (size_t left = items.size(); left > 1; --left) {
      using std::swap;
      swap(items[left - 1], items[below(left)]);
    }
  }

 private:
  static uint64_t splitmix(uint64_t& state) {
    uint64_t word = state += 0x9E3779B97F4A7C15;
    word = (word ^ (word >> 30u)) * 0xBF58476D1CE4E5B9;
    word = (word ^ (word >> 27u)) * 0x94D049BB133111EB;
    return word ^ (word >> 31u);
  }

  std::array<uint64_t, 4> state_{};
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace tkm

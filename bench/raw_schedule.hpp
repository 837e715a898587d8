// When the open part of a raw load sends: an absolute schedule, one every 1/rate or a Poisson process,
// seeded.
#pragma once

#include <cstdint>
#include <random>

namespace tokometer::bench {

class RawSchedule {
 public:
  static constexpr int64_t kNever = INT64_MAX;
  struct Shape {
    double rate = 0, seconds = 0, delay = 0;  // rate 0: never
    bool poisson = false;
    uint64_t seed = 1;
  };

  explicit RawSchedule(const Shape& shape) : shape_(shape), random_(shape.seed) {}

  // The first is due `delay` after this instant.
  void begin(int64_t begin_ns) {
    begin_ns_ = begin_ns;
    if (shape_.rate > 0) set_due();
  }
  int64_t due_ns() const { return due_ns_; }  // kNever: no more
  void advance() {
    since_s_ += shape_.poisson ? std::exponential_distribution<>(shape_.rate)(random_) : 1 / shape_.rate;
    set_due();
  }

 private:
  void set_due() {
    const double at_s = shape_.delay + since_s_;
    due_ns_ = since_s_ < shape_.seconds ? begin_ns_ + static_cast<int64_t>(at_s * 1e9) : kNever;
  }

  const Shape shape_;
  std::mt19937_64 random_;
  int64_t begin_ns_ = 0, due_ns_ = kNever;
  double since_s_ = 0;  // the open part began
};

}  // namespace tokometer::bench

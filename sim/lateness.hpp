// How late the simulator itself was: send time minus due time of each token event, in log-linear buckets (1.6
// % wide), fixed memory. No claim about a client is finer than what this says.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tokometer::sim {

class Lateness {
 public:
  void add(int64_t ns) noexcept {
    const auto late = static_cast<uint64_t>(ns < 0 ? 0 : ns);
    if (late > max_ns_) max_ns_ = late;
    ++buckets_[bucket_of(late)];
    ++count_;
  }

  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  // Upper edge of the bucket that holds the q-quantile; 0 where nothing was added.
  uint64_t quantile_ns(double q) const {
    const auto rank = static_cast<uint64_t>(q * static_cast<double>(count_));
    uint64_t seen = 0;
    for (size_t at = 0; at < buckets_.size(); ++at) {
      seen += buckets_[at];
      if (seen > rank) return upper_edge(at) < max_ns_ ? upper_edge(at) : max_ns_;
    }
    return max_ns_;
  }

 private:
  static constexpr unsigned kBits = 6;  // 64 buckets for each power of two
  static constexpr uint64_t kFine = uint64_t{1} << kBits;

  static size_t bucket_of(uint64_t ns) noexcept {
    if (ns < kFine) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - kBits;
    return (shift + 1) * kFine + ((ns >> shift) - kFine);
  }
  static uint64_t upper_edge(size_t bucket) noexcept {
    if (bucket < kFine) return bucket;
    const size_t shift = bucket / kFine - 1;
    return ((kFine + bucket % kFine + 1) << shift) - 1;
  }

  std::array<uint64_t, kFine*(64 - kBits + 1)> buckets_{};
  uint64_t count_ = 0, max_ns_ = 0;
};

}  // namespace tokometer::sim

// Log-linear histogram of nanoseconds: 65,536 buckets up to 2^42 ns (73 minutes), each at most 0.049 % wide;
// a value is reported as its bucket's midpoint. Counts live in pages made on first use. Merging adds counts:
// exact, any order. Not thread-safe; each thread has its own.
//   h.record(lag_ns);  h.percentile(990);   // p99
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace tokometer {

// Rank, from 1, of the smallest value that has at least per_mille of n values at or below it. In integers, so
// that p95 of 20 is rank 19 on every machine.
constexpr uint64_t nearest_rank(uint32_t per_mille, uint64_t n) {
  const uint64_t rank = n / 1000 * per_mille + (n % 1000 * per_mille + 999) / 1000;
  return rank == 0 ? 1 : rank;
}

class Histogram {
 public:
  static constexpr int kPageBits = 11;
  static constexpr uint32_t kBuckets = 65536;

  // Bucket of a value, v >= 0. Values of 2^42 ns and above give kBuckets or more.
  static constexpr uint32_t index_of(int64_t value_ns) {
    const auto v = static_cast<uint64_t>(value_ns);
    const int width = v == 0 ? 0 : static_cast<int>(std::bit_width(v)) - 1;
    const int e = width > kPageBits ? width - kPageBits : 0;
    return (static_cast<uint32_t>(e) << kPageBits) + static_cast<uint32_t>(v >> e);
  }
  static int64_t midpoint_ns(uint32_t index);

  Histogram() = default;
  Histogram(Histogram&&) = default;
  Histogram& operator=(Histogram&&) = default;

  // Negative values count as 0; allocates only when it meets a page for the first time.
  void record(int64_t value_ns, uint64_t count = 1);
  void record_bucket(uint32_t index, uint64_t count);  // as read from a file; index >= kBuckets: overflow
  void merge(const Histogram& other);
  void clear();                        // counts to zero; pages stay
  void preallocate(int64_t up_to_ns);  // makes the pages for all values up to this one

  uint64_t count() const { return count_; }  // overflow included
  uint64_t overflow() const { return overflow_; }
  // Nearest rank; nothing when empty. A rank in the overflow gives 2^42.
  std::optional<int64_t> percentile(uint32_t per_mille) const;
  // How many recorded values lie in buckets wholly above `value_ns`.
  uint64_t count_above(int64_t value_ns) const;

  // Calls f(index, count) for every bucket in use, in order; the overflow is not one of them.
  template <class F>
  void for_each(F&& f) const {
    for (uint32_t page = 0; page < pages_.size(); ++page) {
      if (!pages_[page]) continue;
      for (uint32_t i = 0; i < kPageSize; ++i) {
        if (const uint64_t n = (*pages_[page])[i]; n != 0) f((page << kPageBits) + i, n);
      }
    }
  }

 private:
  static constexpr uint32_t kPageSize = 1u << kPageBits;
  using Page = std::array<uint64_t, kPageSize>;
  Page& page(uint32_t number);

  std::array<std::unique_ptr<Page>, kBuckets / kPageSize> pages_;
  uint64_t count_ = 0;
  uint64_t overflow_ = 0;
};

}  // namespace tokometer

#include "metrics/histogram.hpp"

#include <algorithm>

namespace tokometer {

int64_t Histogram::midpoint_ns(uint32_t index) {
  if (index < 2 * kPageSize) return index;  // exact below 4,096 ns
  const uint32_t e = (index >> kPageBits) - 1;
  const int64_t low = static_cast<int64_t>(index - (e << kPageBits)) << e;
  return low + (int64_t{1} << e) / 2;
}

Histogram::Page& Histogram::page(uint32_t number) {
  if (!pages_[number]) pages_[number] = std::make_unique<Page>();
  return *pages_[number];
}

void Histogram::record(int64_t value_ns, uint64_t count) {
  record_bucket(index_of(std::max<int64_t>(value_ns, 0)), count);
}

void Histogram::record_bucket(uint32_t index, uint64_t count) {
  count_ += count;
  if (index >= kBuckets) {
    overflow_ += count;
    return;
  }
  page(index >> kPageBits)[index % kPageSize] += count;
}

void Histogram::merge(const Histogram& other) {
  other.for_each([this](uint32_t index, uint64_t n) { page(index >> kPageBits)[index % kPageSize] += n; });
  count_ += other.count_;
  overflow_ += other.overflow_;
}

void Histogram::clear() {
  for (auto& page : pages_) {
    if (page) page->fill(0);
  }
  count_ = overflow_ = 0;
}

void Histogram::preallocate(int64_t up_to_ns) {
  const uint32_t last = std::min(index_of(up_to_ns), kBuckets - 1);
  for (uint32_t number = 0; number <= last >> kPageBits; ++number) page(number);
}

std::optional<int64_t> Histogram::percentile(uint32_t per_mille) const {
  if (count_ == 0) return std::nullopt;
  const uint64_t rank = nearest_rank(per_mille, count_);
  uint64_t below = 0;
  std::optional<int64_t> found;
  for_each([&](uint32_t index, uint64_t n) {
    below += n;
    if (!found && below >= rank) found = midpoint_ns(index);
  });
  return found ? *found : int64_t{1} << 42;
}

uint64_t Histogram::count_above(int64_t value_ns) const {
  const uint32_t bucket = index_of(std::max<int64_t>(value_ns, 0));
  uint64_t above = overflow_;
  for_each([&](uint32_t index, uint64_t n) {
    if (index > bucket) above += n;
  });
  return above;
}

}  // namespace tokometer

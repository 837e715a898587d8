#include "metrics/packed_column.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "metrics/record.hpp"

namespace tokometer {
namespace {

static_assert(std::endian::native == std::endian::little, "rows are copied by their low bytes");

constexpr uint64_t all_ones(int width) {
  return width >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * width)) - 1;
}

}  // namespace

void PackedColumn::push(int64_t value) {
  if (open_.capacity() < kRows) open_.reserve(kRows);
  open_.push_back(value);
  if (open_.size() < kRows) return;
  pages_.push_back(pack(open_));
  open_.clear();
}

PackedColumn::Page PackedColumn::pack(const std::vector<int64_t>& values) {
  Page page;
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (const int64_t value : values) {
    if (value == kAbsent) {
      page.has_absent = true;
      continue;
    }
    low = std::min(low, value);
    high = std::max(high, value);
  }
  page.base = low <= high ? low : kAbsent;
  if (low > high || (low == high && !page.has_absent)) return page;  // one value for all rows: no bytes
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  page.width = 1;
  while (page.width < 8 && range >= all_ones(page.width)) ++page.width;
  if (page.width == 8) page.base = 0, page.has_absent = false;
  page.bytes = std::make_unique<uint8_t[]>(page.width * kRows);
  for (size_t row = 0; row < kRows; ++row) {
    const bool absent = page.has_absent && values[row] == kAbsent;
    const uint64_t stored =
        absent ? all_ones(page.width) : static_cast<uint64_t>(values[row]) - static_cast<uint64_t>(page.base);
    std::memcpy(page.bytes.get() + row * page.width, &stored, page.width);
  }
  return page;
}

int64_t PackedColumn::operator[](size_t row) const {
  const size_t number = row / kRows;
  if (number == pages_.size()) return open_[row % kRows];
  const Page& page = pages_[number];
  if (page.width == 0) return page.base;
  uint64_t stored = 0;
  std::memcpy(&stored, page.bytes.get() + (row % kRows) * page.width, page.width);
  if (page.has_absent && stored == all_ones(page.width)) return kAbsent;
  return static_cast<int64_t>(static_cast<uint64_t>(page.base) + stored);
}

size_t PackedColumn::memory_bytes() const {
  size_t bytes = open_.capacity() * sizeof(int64_t) + pages_.capacity() * sizeof(Page);
  for (const Page& page : pages_) bytes += page.width * kRows;
  return bytes;
}

}  // namespace tokometer

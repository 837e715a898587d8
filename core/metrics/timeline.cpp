#include "metrics/timeline.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace tokometer {
namespace {

uint8_t* write_varint(uint8_t* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value | 0x80);
  *at++ = static_cast<uint8_t>(value);
  return at;
}

}  // namespace

BlockPool::BlockPool(size_t blocks_per_slab) : blocks_per_slab_(std::max<size_t>(blocks_per_slab, 1)) {}
BlockPool::~BlockPool() = default;

void BlockPool::grow() {
  slabs_.push_back(std::make_unique<TimelineBlock[]>(blocks_per_slab_));
  for (size_t i = 0; i < blocks_per_slab_; ++i) {
    slabs_.back()[i].next = free_;
    free_ = &slabs_.back()[i];
  }
}

TimelineBlock* BlockPool::take() {
  if (free_ == nullptr) free_ = returned_.exchange(nullptr, std::memory_order_acquire);
  if (free_ == nullptr) grow();
  TimelineBlock* block = std::exchange(free_, free_->next);
  block->next = nullptr;
  block->used = 0;
  return block;
}

void BlockPool::give_back(TimelineBlock* first, TimelineBlock* last) noexcept {
  last->next = returned_.load(std::memory_order_relaxed);
  while (!returned_.compare_exchange_weak(last->next, first, std::memory_order_release,
                                          std::memory_order_relaxed)) {
  }
}

void BlockPool::reserve(size_t blocks) {
  while (capacity() < blocks) grow();
}

Timeline::Timeline(Timeline&& other) noexcept {
  *this = std::move(other);
}

Timeline& Timeline::operator=(Timeline&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  first_ = std::exchange(other.first_, nullptr);
  last_ = std::exchange(other.last_, nullptr);
  size_ = std::exchange(other.size_, 0);
  last_us_ = std::exchange(other.last_us_, 0);
  return *this;
}

void Timeline::release() noexcept {
  if (first_ != nullptr) pool_->give_back(first_, last_);
  pool_ = nullptr;
  first_ = last_ = nullptr;
  size_ = 0;
  last_us_ = 0;
}

void Timeline::add_block(BlockPool& pool) {
  TimelineBlock* block = pool.take();
  (last_ == nullptr ? first_ : last_->next) = block;
  last_ = block;
}

// An entry may begin in one block and end in the next.
void Timeline::put(BlockPool& pool, const uint8_t* bytes, size_t size) {
  while (size > 0) {
    if (last_ == nullptr || last_->used == TimelineBlock::kPayload) add_block(pool);
    const size_t part = std::min(size, TimelineBlock::kPayload - last_->used);
    std::memcpy(last_->bytes + last_->used, bytes, part);
    last_->used = static_cast<uint8_t>(last_->used + part);
    bytes += part;
    size -= part;
  }
}

void Timeline::add(BlockPool& pool, int64_t at_us, uint32_t tokens, Mark mark) {
  assert(pool_ == nullptr || pool_ == &pool);
  pool_ = &pool;
  const int64_t delta = at_us - last_us_;
  const uint64_t zigzag = (static_cast<uint64_t>(delta) << 1) ^ static_cast<uint64_t>(delta >> 63);
  const uint64_t bits = (mark.coalesced ? kCoalescedBit : 0) | (tokens != 1 ? kTokensBit : 0) |
                        (mark.choice != 0 ? kChoiceBit : 0);
  const auto write = [&](uint8_t* at) {
    at = write_varint(at, zigzag << kBits | bits);
    if (tokens != 1) at = write_varint(at, tokens);
    return mark.choice != 0 ? write_varint(at, mark.choice) : at;
  };
  const size_t longest = (bits & (kTokensBit | kChoiceBit)) == 0 ? kLongestTime : kLongestEntry;
  if (last_ != nullptr &&
      last_->used + longest <= TimelineBlock::kPayload) {  // the usual case: it fits for sure
    last_->used = static_cast<uint8_t>(write(last_->bytes + last_->used) - last_->bytes);
  } else {
    uint8_t bytes[kLongestEntry];
    put(pool, bytes, static_cast<size_t>(write(bytes) - bytes));
  }
  last_us_ = at_us;
  ++size_;
}

}  // namespace tokometer

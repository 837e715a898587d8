#include "metrics/timeline.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tokometer {
namespace {

// An entry is a varint of the zigzag time difference above three bits, then what the bits announce.
constexpr uint64_t kCoalescedBit = 1, kTokensBit = 2, kChoiceBit = 4;
constexpr int kBits = 3;

uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
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

Timeline::Timeline(Timeline&& other) noexcept { *this = std::move(other); }

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

void Timeline::put_byte(BlockPool& pool, uint8_t byte) {
  if (last_ == nullptr || last_->used == TimelineBlock::kPayload) {
    TimelineBlock* block = pool.take();
    (last_ == nullptr ? first_ : last_->next) = block;
    last_ = block;
  }
  last_->bytes[last_->used++] = byte;
}

void Timeline::put_varint(BlockPool& pool, uint64_t value) {
  for (; value >= 0x80; value >>= 7) put_byte(pool, static_cast<uint8_t>(value | 0x80));
  put_byte(pool, static_cast<uint8_t>(value));
}

void Timeline::add(BlockPool& pool, int64_t at_us, uint32_t tokens, Mark mark) {
  assert(pool_ == nullptr || pool_ == &pool);
  pool_ = &pool;
  const uint64_t bits = (mark.coalesced ? kCoalescedBit : 0) | (tokens != 1 ? kTokensBit : 0) |
                        (mark.choice != 0 ? kChoiceBit : 0);
  put_varint(pool, zigzag(at_us - last_us_) << kBits | bits);
  if (tokens != 1) put_varint(pool, tokens);
  if (mark.choice != 0) put_varint(pool, mark.choice);
  last_us_ = at_us;
  ++size_;
}

Timeline::Cursor::Cursor(const Timeline& timeline) : block_(timeline.first_), left_(timeline.size_) {}

uint64_t Timeline::Cursor::read_varint() {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    if (offset_ == block_->used) {
      block_ = block_->next;
      offset_ = 0;
    }
    const uint8_t byte = block_->bytes[offset_++];
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

bool Timeline::Cursor::next() {
  if (left_ == 0) return false;
  --left_;
  const uint64_t head = read_varint();
  entry_.at_us += unzigzag(head >> kBits);
  entry_.coalesced = (head & kCoalescedBit) != 0;
  entry_.tokens = (head & kTokensBit) != 0 ? static_cast<uint32_t>(read_varint()) : 1;
  entry_.choice = (head & kChoiceBit) != 0 ? static_cast<uint32_t>(read_varint()) : 0;
  return true;
}

}  // namespace tokometer

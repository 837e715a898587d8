// The token times of one request, as packed differences in 64-byte blocks. The I/O worker that reads the
// stream adds; the writer thread reads, then releases. No allocation per token once the worker's pool is
// warm.
//
//   BlockPool pool;                       // one per worker, outlives every timeline that took blocks from it
//   record.timeline.add(pool, 0, 1);      // the first token event is at 0 by definition
//   record.timeline.add(pool, 20000, 8, {.coalesced = false, .choice = 0});
//   for (Timeline::Cursor c(record.timeline); c.next();) use(c.entry());
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tokometer {

struct TimelineBlock {
  static constexpr size_t kPayload = 55;
  TimelineBlock* next;
  uint8_t used;
  uint8_t bytes[kPayload];
};
static_assert(sizeof(TimelineBlock) == 64);

// Blocks of one worker. take() is for the owner's thread alone; give_back() may come from any thread (a
// lock-free push; the owner takes the whole list at once, so there is no ABA). Memory is returned when the
// pool dies.
class BlockPool {
 public:
  explicit BlockPool(size_t blocks_per_slab = 1024);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  TimelineBlock* take();
  void give_back(TimelineBlock* first, TimelineBlock* last) noexcept;   // a chain linked by `next`
  void reserve(size_t blocks);                                          // warm the pool before the run
  size_t capacity() const { return slabs_.size() * blocks_per_slab_; }  // blocks ever made; owner's thread

 private:
  void grow();

  size_t blocks_per_slab_;
  std::vector<std::unique_ptr<TimelineBlock[]>> slabs_;
  TimelineBlock* free_ = nullptr;                  // the owner's own list
  std::atomic<TimelineBlock*> returned_{nullptr};  // pushed by others
};

class Timeline {
 public:
  struct Entry {
    int64_t at_us = 0;    // since the first token event, rounded before any difference is taken
    uint32_t tokens = 0;  // tokens the server stated for this event; 0: not stated
    uint32_t choice = 0;
    bool coalesced = false;  // completed by the same socket read as the token event before it
  };
  struct Mark {
    bool coalesced = false;
    uint32_t choice = 0;
  };

  Timeline() = default;
  Timeline(Timeline&& other) noexcept;
  Timeline& operator=(Timeline&& other) noexcept;
  ~Timeline() { release(); }

  // Appends one token event. `pool` must be the same in every call between two releases.
  void add(BlockPool& pool, int64_t at_us, uint32_t tokens, Mark mark);
  void add(BlockPool& pool, int64_t at_us, uint32_t tokens) { add(pool, at_us, tokens, Mark{}); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Gives all blocks back to their pool; the timeline is empty and may be used again. Any thread.
  void release() noexcept;

  // Reads the entries in order. The timeline must not change meanwhile.
  class Cursor {
   public:
    explicit Cursor(const Timeline& timeline) : block_(timeline.first_), left_(timeline.size_) {
      if (block_ != nullptr) enter(block_);
    }
    // False: no more.
    bool next() {
      if (left_ == 0) return false;
      --left_;
      const uint64_t head = read_varint();
      const uint64_t delta = head >> kBits;
      entry_.at_us += static_cast<int64_t>(delta >> 1) ^ -static_cast<int64_t>(delta & 1);
      entry_.coalesced = (head & kCoalescedBit) != 0;
      entry_.tokens = (head & kTokensBit) != 0 ? static_cast<uint32_t>(read_varint()) : 1;
      entry_.choice = (head & kChoiceBit) != 0 ? static_cast<uint32_t>(read_varint()) : 0;
      return true;
    }
    const Entry& entry() const { return entry_; }

   private:
    void enter(const TimelineBlock* block) {
      block_ = block;
      at_ = block->bytes;
      end_ = at_ + block->used;
    }
    uint64_t read_varint() {
      uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        if (at_ == end_) enter(block_->next);
        const uint8_t byte = *at_++;
        value |= static_cast<uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    }

    const TimelineBlock* block_;
    const uint8_t* at_ = nullptr;
    const uint8_t* end_ = nullptr;
    size_t left_;
    Entry entry_;
  };

 private:
  // An entry is a varint of the zigzag time difference above three bits, then what the bits announce.
  static constexpr uint64_t kCoalescedBit = 1, kTokensBit = 2, kChoiceBit = 4;
  static constexpr int kBits = 3;
  static constexpr size_t kLongestTime = 10, kLongestEntry = kLongestTime + 5 + 5;  // bytes

  void put(BlockPool& pool, const uint8_t* bytes, size_t size);
  void add_block(BlockPool& pool);

  BlockPool* pool_ = nullptr;
  TimelineBlock* first_ = nullptr;
  TimelineBlock* last_ = nullptr;
  size_t size_ = 0;
  int64_t last_us_ = 0;
};

}  // namespace tokometer

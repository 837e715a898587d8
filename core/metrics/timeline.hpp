// The token times of one request, as packed differences in 64-byte blocks. The I/O worker that reads the stream adds;
// the writer thread reads, then releases. No allocation per token once the worker's pool is warm.
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

// Blocks of one worker. take() is for the owner's thread alone; give_back() may come from any thread (a lock-free
// push; the owner takes the whole list at once, so there is no ABA). Memory is returned when the pool dies.
class BlockPool {
 public:
  explicit BlockPool(size_t blocks_per_slab = 1024);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  TimelineBlock* take();
  void give_back(TimelineBlock* first, TimelineBlock* last) noexcept;  // a chain linked by `next`
  void reserve(size_t blocks);                                         // warm the pool before the run
  size_t capacity() const { return slabs_.size() * blocks_per_slab_; } // blocks ever made; owner's thread

 private:
  void grow();

  size_t blocks_per_slab_;
  std::vector<std::unique_ptr<TimelineBlock[]>> slabs_;
  TimelineBlock* free_ = nullptr;                   // the owner's own list
  std::atomic<TimelineBlock*> returned_{nullptr};   // pushed by others
};

class Timeline {
 public:
  struct Entry {
    int64_t at_us = 0;     // since the first token event, rounded before any difference is taken
    uint32_t tokens = 0;   // tokens the server stated for this event; 0: not stated
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
    explicit Cursor(const Timeline& timeline);
    bool next();  // false: no more
    const Entry& entry() const { return entry_; }

   private:
    uint64_t read_varint();

    const TimelineBlock* block_;
    size_t offset_ = 0;
    size_t left_;
    Entry entry_;
  };

 private:
  void put_varint(BlockPool& pool, uint64_t value);
  void put_byte(BlockPool& pool, uint8_t byte);

  BlockPool* pool_ = nullptr;
  TimelineBlock* first_ = nullptr;
  TimelineBlock* last_ = nullptr;
  size_t size_ = 0;
  int64_t last_us_ = 0;
};

}  // namespace tokometer

// Deadlines of the requests of one worker, at O(1) each: a hashed wheel of intrusive lists.
//
// A deadline that moves (an idle timer, at every token) does not touch the wheel: the owner keeps the true
// deadline, and when the entry comes up too early it is put back. One thread.
#pragma once

#include <array>
#include <cstdint>

namespace tokometer {

class TimerWheel {
 public:
  static constexpr int64_t kTickNs = 16'000'000;  // a time-out is late by at most one tick
  static constexpr int64_t kNever = INT64_MAX;

  // Base of whatever has a deadline. Must be disarmed before it dies.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   protected:
    ~Entry() = default;

   private:
    friend class TimerWheel;
    virtual int64_t deadline_ns() const = 0;       // asked when the entry comes up; kNever: leave it out
    virtual void on_deadline(int64_t now_ns) = 0;  // the deadline has passed; the entry is disarmed by then
    Entry* next_ = nullptr;
    Entry* previous_ = nullptr;
    int64_t armed_for_ns_ = kNever;
  };

  explicit TimerWheel(int64_t now_ns) : tick_(now_ns / kTickNs) {}

  // Makes sure that `entry` comes up no later than its deadline. Cheap if it is armed early enough already.
  void arm(Entry& entry);
  void disarm(Entry& entry) noexcept;

  // Fires all that is due. Call it about once a tick.
  void advance(int64_t now_ns);

 private:
  static constexpr int64_t kSlots = 1024;  // 16 s a round; longer deadlines come up once a round and go back

  void link(Entry& entry, int64_t at_ns);

  std::array<Entry*, kSlots> slots_{};
  int64_t tick_;
};

}  // namespace tokometer

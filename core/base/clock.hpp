// Time is injected: whoever needs it takes a Clock&. All program time is CLOCK_MONOTONIC in integer
// nanoseconds.
#pragma once

#include <atomic>
#include <cstdint>

namespace tokometer {

class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds of CLOCK_MONOTONIC, or of the simulation. Any thread.
  virtual int64_t now_ns() const noexcept = 0;
};

class SteadyClock final : public Clock {
 public:
  int64_t now_ns() const noexcept override;
};

// A clock that moves only when a test says so.
class SimulatedClock final : public Clock {
 public:
  int64_t now_ns() const noexcept override { return now_ns_.load(std::memory_order_relaxed); }
  void set(int64_t ns) noexcept { now_ns_.store(ns, std::memory_order_relaxed); }
  void advance(int64_t ns) noexcept { now_ns_.fetch_add(ns, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> now_ns_{0};
};

// CLOCK_REALTIME minus CLOCK_MONOTONIC, in ns: the best of 5 bracketed readings (about 50 ns off).
// Constant until somebody steps the wall clock. Kernel receive stamps are wall-clock; this brings them to our
// axis.
int64_t wall_clock_offset_ns() noexcept;

}  // namespace tokometer

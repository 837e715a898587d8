// Every request of one phase in at most 64 bytes, exact: times as distances from S. Private to core/metrics.
#pragma once

#include <cstdint>

#include "metrics/packed_column.hpp"
#include "metrics/record.hpp"

namespace tokometer {

class RequestRows {
 public:
  // What else the reducer knows about a request when it adds it.
  struct Extra {
    bool in_window = false;
    bool good = false;  // inside every SLO limit
    int64_t tpot_ns = kAbsent;
    int64_t longest_gap_ns = kAbsent;
  };
  void add(const RequestRecord& r, const Extra& extra);
  size_t size() const { return state_.size(); }
  size_t memory_bytes() const;

  bool in_window(size_t row) const { return (state_[row] & kInWindow) != 0; }
  bool ok(size_t row) const { return status(row) == Status::ok; }
  bool good(size_t row) const { return (state_[row] & kGood) != 0; }
  // Ended by a time-out or by us: how slow it would have been is only known to be at least its age.
  bool censored(size_t row) const { return (state_[row] & kCensored) != 0; }
  Status status(size_t row) const { return static_cast<Status>(state_[row] & 3); }

  int64_t s_ns(size_t row) const { return s_[row]; }
  int64_t x_ns(size_t row) const { return absolute(x_, row); }
  int64_t e_ns(size_t row) const { return absolute(e_, row); }
  int64_t tokens(size_t row) const { return n_[row]; }
  int64_t turn(size_t row) const { return turn_[row]; }  // kAbsent: of no session

  // The metrics of one request; kAbsent where they do not exist.
  int64_t ttft_sched(size_t row) const { return t1_[row]; }
  int64_t ttft_sent(size_t row) const { return from_sent(t1_, row); }
  int64_t ttfa_sched(size_t row) const { return a1_[row]; }
  int64_t ttfa_sent(size_t row) const { return from_sent(a1_, row); }
  int64_t e2e_sched(size_t row) const { return e_[row]; }
  int64_t e2e_sent(size_t row) const { return from_sent(e_, row); }
  int64_t tpot(size_t row) const { return tpot_[row]; }
  int64_t longest_gap(size_t row) const { return gap_[row]; }
  int64_t first_event_sent(size_t row) const { return from_sent(v_, row); }
  int64_t first_byte_sent(size_t row) const { return from_sent(b_, row); }
  int64_t connect(size_t row) const { return connect_[row]; }
  int64_t hold(size_t row) const { return r_[row]; }
  int64_t send_lag(size_t row) const {
    return x_[row] == kAbsent || r_[row] == kAbsent ? kAbsent : x_[row] - r_[row];
  }
  int64_t schedule_lag(size_t row) const { return x_[row]; }
  int64_t own_lag(size_t row) const;  // schedule lag less policy holds and connecting
  int64_t held_by_cap(size_t row) const { return held_[row]; }
  int64_t ntpot_sched(size_t row) const { return per_token(e_[row], row); }
  int64_t ntpot_sent(size_t row) const { return per_token(e2e_sent(row), row); }

 private:
  static constexpr int64_t kInWindow = 4, kGood = 8, kCensored = 16;  // above the two bits of the status

  int64_t absolute(const PackedColumn& column, size_t row) const {
    const int64_t value = column[row];
    return value == kAbsent ? kAbsent : s_[row] + value;
  }
  int64_t from_sent(const PackedColumn& column, size_t row) const {
    const int64_t value = column[row], sent = x_[row];
    return value == kAbsent || sent == kAbsent ? kAbsent : value - sent;
  }
  int64_t per_token(int64_t value, size_t row) const;

  PackedColumn state_, s_;
  PackedColumn r_, x_, b_, v_, t1_, a1_, e_;  // since S
  PackedColumn n_, tpot_, gap_, connect_, held_, turn_;
};

}  // namespace tokometer

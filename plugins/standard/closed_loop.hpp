// The heart of the closed loops: a number of users, each of whom sends the next request when the last one has
// ended and a think time has passed. Asked after each ended entry with that entry's end as `now_ns`, which
// may lie before an earlier one. One instance for each phase, on one thread.
//
// `Crowd` knows the users of one shard, numbered from 0 in the order in which they come:
//   uint32_t most()                  how many there ever are
//   int64_t start_ns(uint32_t user)  when it sends its first request
//   int64_t leave_ns(uint32_t user)  when it leaves, the last one first; INT64_MAX: never. Who leaves came at
//   0
#pragma once

#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "distribution.hpp"

namespace standard {

constexpr double kMostUsers = 1'000'000;

// The users of the whole go round the shards: shard s of n has s, s + n, s + 2n, ..., so that the shares add
// up exactly and each shard sees the whole ramp.
class Share {
 public:
  explicit Share(const tkm_create_args& args) : shard_(args.shard), count_(std::max(args.shard_count, 1u)) {}
  uint32_t of(uint32_t users) const { return shard_ < users ? (users - shard_ - 1) / count_ + 1 : 0; }
  uint64_t number_in_all(uint32_t user) const { return shard_ + uint64_t{user} * count_; }

 private:
  uint32_t shard_, count_;
};

template <class Crowd>
class ClosedLoop {
 public:
  ClosedLoop(const Crowd& crowd, const ThinkTime& think_time, const tkm_create_args& args)
      : crowd_(crowd),
        staying_(crowd.most()),
        think_time_(think_time, "think_time", 0),
        thinking_(args.seed, "think_time") {}

  tkm::LoadStep next(const tkm_load_state& state) {
    if (state.active < present_) {
      const int64_t at_ns = after_thinking(state.now_ns);
      if (crowd_.leave_ns(present_ - 1) > at_ns) return tkm::release_at(at_ns, users(state.now_ns));
      --present_;
    }
    if (started_ < crowd_.most()) return start_next(state.now_ns);
    if (present_ == 0) return tkm::load_done();
    const uint32_t wanted = users(state.now_ns);
    return tkm::wait_until(staying_ > 0 ? crowd_.leave_ns(staying_ - 1) : INT64_MAX, wanted);
  }

 private:
  tkm::LoadStep start_next(int64_t now_ns) {
    const int64_t start_ns = crowd_.start_ns(started_);
    if (now_ns < start_ns) return tkm::wait_until(start_ns, users(now_ns));
    ++started_, ++present_;
    return tkm::release_at(now_ns, users(now_ns));
  }

  // Wanted now; those who have to leave but wait for their last answer do not count.
  uint32_t users(int64_t now_ns) {
    while (staying_ > 0 && crowd_.leave_ns(staying_ - 1) <= now_ns) --staying_;
    return std::min(present_, staying_);
  }

  int64_t after_thinking(int64_t end_ns) {
    constexpr double kLongestNs = 4.6e18;  // half of all times: the sum below cannot overflow
    return end_ns + std::llround(std::min(think_time_.draw(thinking_) * 1e9, kLongestNs));
  }

  Crowd crowd_;
  uint32_t started_ = 0;  // users that have sent their first request
  uint32_t present_ = 0;  // those of them who have not left
  uint32_t staying_;      // who need not leave yet
  Distribution think_time_;
  tkm::Random thinking_;
};

}  // namespace standard

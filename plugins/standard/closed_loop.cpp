// Closed loops: a number of users, each of whom sends the next request when the last one has ended and a
// think time has passed. Asked after each ended entry with that entry's end as `now_ns`, which may lie before
// an earlier one.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "components.hpp"
#include "distribution.hpp"

namespace standard {
namespace {

// The users of one shard. Shard s of n has the users s, s + n, s + 2n, ... of the whole, so the shares add up
// exactly and each shard's ramp is spread over the whole ramp.
class Users {
 public:
  Users(int64_t users, double ramp_up_ns, const tkm_create_args& args)
      : users_(static_cast<uint32_t>(users)),
        shard_(args.shard),
        shard_count_(std::max(args.shard_count, 1u)),
        ramp_up_ns_(ramp_up_ns) {}

  uint32_t share() const { return shard_ < users_ ? (users_ - shard_ - 1) / shard_count_ + 1 : 0; }
  // When the n-th user of this shard sends its first request.
  int64_t start_ns(uint32_t user) const {
    const uint64_t of_all = shard_ + uint64_t{user} * shard_count_;
    return std::llround(ramp_up_ns_ * static_cast<double>(of_all) / users_);
  }

 private:
  uint32_t users_, shard_, shard_count_;
  double ramp_up_ns_;
};

class ClosedLoop {
 public:
  ClosedLoop(const Users& users, const ThinkTime& think_time, const tkm_create_args& args)
      : users_(users), think_time_(think_time, "think_time", 0), thinking_(args.seed, "think_time") {}

  tkm::LoadStep next(const tkm_load_state& state) {
    if (users_.share() == 0) return tkm::load_done();
    if (state.active < started_) return tkm::release_at(after_thinking(state.now_ns), started_);
    if (started_ == users_.share()) return tkm::wait_for_end(started_);
    const int64_t start_ns = users_.start_ns(started_);
    if (state.now_ns < start_ns) return tkm::wait_until(start_ns, started_);
    return tkm::release_at(state.now_ns, ++started_);
  }

 private:
  int64_t after_thinking(int64_t end_ns) {
    constexpr double kLongestNs = 4.6e18;  // half of all times: the sum below cannot overflow
    return end_ns + std::llround(std::min(think_time_.draw(thinking_) * 1e9, kLongestNs));
  }

  Users users_;
  Distribution think_time_;
  tkm::Random thinking_;
  uint32_t started_ = 0;  // users that have sent their first request
};

constexpr double kMostUsers = 1'000'000;

struct ConcurrencyOptions {
  int64_t users = 1;
  double ramp_up_s = 0;
  ThinkTime think_time;

  static void options(tkm::OptionSet<ConcurrencyOptions>& o) {
    o.add("users", &ConcurrencyOptions::users)
        .help("Requests (or sessions) kept active at a time.")
        .required()
        .at_least(1)
        .at_most(kMostUsers)
        .example("64");
    o.add("ramp_up", &ConcurrencyOptions::ramp_up_s)
        .help("The users start evenly spread over this time.")
        .duration()
        .at_least(0)
        .example("\"20s\"");
    o.add("think_time", &ConcurrencyOptions::think_time)
        .help("From the end of a request to the same user's next one: a time, or a distribution of times.")
        .example("\"2s\"")
        .example(R"({"distribution":"exponential","mean":"2s"})");
  }
};

class Concurrency : public ClosedLoop {
 public:
  static constexpr auto kId = "concurrency", kSummary = "closed loop: a fixed number of users";
  static constexpr std::array kCapabilities{"closed-loop"};
  using Options = ConcurrencyOptions;
  Concurrency(const Options& options, const tkm_create_args& args)
      : ClosedLoop(Users(options.users, options.ramp_up_s * 1e9, args), options.think_time, args) {}
};

class Synchronous : public ClosedLoop {
 public:
  static constexpr auto kId = "synchronous", kSummary = "closed loop: one request at a time";
  static constexpr std::array kCapabilities{"closed-loop"};
  explicit Synchronous(const tkm_create_args& args) : ClosedLoop(Users(1, 0, args), ThinkTime(), args) {}
};

struct ThroughputOptions {
  int64_t users = 512;

  static void options(tkm::OptionSet<ThroughputOptions>& o) {
    o.add("users", &ThroughputOptions::users)
        .help("Requests kept active at a time: more than the server takes at once.")
        .at_least(1)
        .at_most(kMostUsers);
  }
};

class Throughput : public ClosedLoop {
 public:
  static constexpr auto kId = "throughput", kSummary = "closed loop: as many requests as the server can take";
  static constexpr std::array kCapabilities{"closed-loop"};
  using Options = ThroughputOptions;
  Throughput(const Options& options, const tkm_create_args& args)
      : ClosedLoop(Users(options.users, 0, args), ThinkTime(), args) {}
};

}  // namespace

const tkm_component* concurrency_pattern() {
  return tkm::pattern<Concurrency>();
}
const tkm_component* synchronous_pattern() {
  return tkm::pattern<Synchronous>();
}
const tkm_component* throughput_pattern() {
  return tkm::pattern<Throughput>();
}

}  // namespace standard

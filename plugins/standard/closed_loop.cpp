// Closed loops with a fixed number of users (closed_loop.hpp says how they work).
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cmath>
#include <cstdint>

#include "closed_loop.hpp"
#include "components.hpp"
#include "distribution.hpp"

namespace standard {
namespace {

// They start evenly spread over the ramp and stay.
class Users {
 public:
  Users(int64_t users, double ramp_up_ns, const tkm_create_args& args)
      : share_(args), users_(static_cast<uint32_t>(users)), ramp_up_ns_(ramp_up_ns) {}

  uint32_t most() const { return share_.of(users_); }
  int64_t start_ns(uint32_t user) const {
    return std::llround(ramp_up_ns_ * static_cast<double>(share_.number_in_all(user)) / users_);
  }
  int64_t leave_ns(uint32_t) const { return INT64_MAX; }

 private:
  Share share_;
  uint32_t users_;
  double ramp_up_ns_;
};

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

class Concurrency : public ClosedLoop<Users> {
 public:
  static constexpr auto kId = "concurrency", kSummary = "closed loop: a fixed number of users";
  static constexpr std::array kCapabilities{"closed-loop"};
  using Options = ConcurrencyOptions;
  Concurrency(const Options& options, const tkm_create_args& args)
      : ClosedLoop(Users(options.users, options.ramp_up_s * 1e9, args), options.think_time, args) {}
};

class Synchronous : public ClosedLoop<Users> {
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

class Throughput : public ClosedLoop<Users> {
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

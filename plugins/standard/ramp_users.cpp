// Closed loop: from one number of users to another. On the way up user number i (from 0) comes when the ramp
// reaches i + 1, on the way down it leaves when the ramp reaches i, after its last answer: the number wanted
// is `to` exactly at the end of the ramp, and stays.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "closed_loop.hpp"
#include "components.hpp"
#include "rate_shape.hpp"

namespace standard {
namespace {

struct RampUsersOptions {
  int64_t from = 0, to = 0;
  double over_s = 0;
  std::string shape = "linear";
  ThinkTime think_time;

  static void options(tkm::OptionSet<RampUsersOptions>& o) {
    o.add("from", &RampUsersOptions::from)
        .help("Users at the start: requests (or sessions) kept active at a time.")
        .required()
        .at_least(0)
        .at_most(kMostUsers)
        .example("1");
    o.add("to", &RampUsersOptions::to)
        .help("Users at the end of the ramp, and after it.")
        .required()
        .at_least(0)
        .at_most(kMostUsers)
        .example("50");
    o.add("over", &RampUsersOptions::over_s)
        .help("How long the ramp takes.")
        .duration()
        .required()
        .above(0)
        .example("\"5m\"");
    o.add("shape", &RampUsersOptions::shape)
        .one_of({"linear", "exp"})
        .help("linear: the same number of users more each second; exp: the same factor.");
    o.add("think_time", &RampUsersOptions::think_time)
        .help("From the end of a request to the same user's next one: a time, or a distribution of times.")
        .example("\"2s\"");
  }
};

const RampUsersOptions& checked(const RampUsersOptions& options) {
  if (options.from == 0 && options.to == 0) {
    throw tkm::config_error("from, to: one of the two numbers of users must be above 0");
  }
  if (options.shape == "exp" && (options.from == 0 || options.to == 0)) {
    throw tkm::config_error(std::string(options.from == 0 ? "from" : "to") +
                            ": 0 users have no place in an exponential ramp; use 1, or shape: linear");
  }
  return options;
}

class RampCrowd {
 public:
  RampCrowd(const RampUsersOptions& options, const tkm_create_args& args)
      : share_(args),
        from_(static_cast<uint32_t>(options.from)),
        to_(static_cast<uint32_t>(options.to)),
        over_ns_(options.over_s * 1e9),
        shape_(ramp_shape(options.shape)) {}

  uint32_t most() const { return share_.of(std::max(from_, to_)); }
  int64_t start_ns(uint32_t user) const {
    const uint64_t number = share_.number_in_all(user);
    return number < from_ ? 0 : reached_ns(number + 1);
  }
  int64_t leave_ns(uint32_t user) const {
    const uint64_t number = share_.number_in_all(user);
    return to_ >= from_ || number < to_ ? INT64_MAX : reached_ns(number);
  }

 private:
  // When the ramp is at so many users.
  int64_t reached_ns(uint64_t users) const {
    const double from = from_, to = to_, at = static_cast<double>(users);
    const double part = shape_ == RampShape::linear
                            ? (at - from) / (to - from)
                            : tkm::random_detail::log(at / from) / tkm::random_detail::log(to / from);
    return std::llround(over_ns_ * part);
  }

  Share share_;
  uint32_t from_, to_;
  double over_ns_;
  RampShape shape_;
};

class RampUsers : public ClosedLoop<RampCrowd> {
 public:
  static constexpr auto kId = "ramp_users", kSummary = "closed loop: from one number of users to another";
  static constexpr std::array kCapabilities{"closed-loop", "unsteady"};
  using Options = RampUsersOptions;
  RampUsers(const Options& options, const tkm_create_args& args)
      : ClosedLoop(RampCrowd(checked(options), args), options.think_time, args) {}
};

}  // namespace

const tkm_component* ramp_users_pattern() {
  return tkm::pattern<RampUsers>();
}

}  // namespace standard

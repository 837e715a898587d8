#include "engine/failure_budget.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>

namespace tokometer {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

std::string_view reason_after(FailureBudget& budget, int failures, int64_t apart_ns, bool client_fault,
                              int64_t from_ns = 0) {
  std::string_view reason;
  for (int i = 0; i < failures; ++i) {
    const auto spent = budget.note({.end_ns = from_ns + i * apart_ns,
                                    .status = Status::failed,
                                    .client_fault = client_fault,
                                    .session = {}});
    reason = spent ? spent->reason : "";
  }
  return reason;
}

TEST_CASE("failures in a row end a run, once there are enough of them for long enough") {
  struct Case {
    int failures;
    int64_t apart_ns;
    bool client_fault;
    std::string_view reason;
  };
  const Case cases[] = {
      {19, kSecond, false, ""},
      {20, kSecond, false, "budget"},
      {20, kSecond / 4, false, ""},
      {41, kSecond / 4, false, "budget"},
      {9, 1, true, ""},
      {10, 1, true, "plugin"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.failures);
    CAPTURE(c.apart_ns);
    FailureBudget budget;
    CHECK(reason_after(budget, c.failures, c.apart_ns, c.client_fault) == c.reason);
  }
}

TEST_CASE("a success begins the count anew, a cancelled request does not") {
  for (const Status status : {Status::ok, Status::cancelled}) {
    FailureBudget budget;
    CHECK(reason_after(budget, 19, kSecond, false) == "");
    CHECK_FALSE(budget.note({.end_ns = 19 * kSecond, .status = status, .session = {}}));
    CHECK(reason_after(budget, 1, kSecond, false, 20 * kSecond) == (status == Status::ok ? "" : "budget"));
  }
}

}  // namespace
}  // namespace tokometer

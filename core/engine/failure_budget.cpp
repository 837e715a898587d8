#include "engine/failure_budget.hpp"

namespace tokometer {
namespace {

constexpr uint64_t kFailures = 20;           // so many in a row ...
constexpr int64_t kSpanNs = 10'000'000'000;  // ... over so long
constexpr uint64_t kClientFaults = 10;

}  // namespace

std::optional<FailureBudget::Spent> FailureBudget::note(const Completion& completion) {
  if (completion.status == Status::cancelled) return std::nullopt;
  if (completion.status == Status::ok) {
    failures_in_a_row_ = client_faults_in_a_row_ = 0;
    return std::nullopt;
  }
  if (failures_in_a_row_++ == 0) first_failure_ns_ = completion.end_ns;
  client_faults_in_a_row_ = completion.client_fault ? client_faults_in_a_row_ + 1 : 0;
  if (client_faults_in_a_row_ >= kClientFaults)
    return Spent{"plugin", "10 requests in a row failed on our side; see the errors"};
  if (failures_in_a_row_ >= kFailures && completion.end_ns - first_failure_ns_ >= kSpanNs)
    return Spent{"budget", "every request that ended in the last 10 s failed"};
  return std::nullopt;
}

}  // namespace tokometer

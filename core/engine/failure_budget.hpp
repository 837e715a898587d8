// Ends a run in which nothing succeeds any more: ten faults in a row on our own side, or 20 and more failures
// in a row over 10 s and more. No clock, no I/O; the load driver feeds it with what ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/exchange.hpp"

namespace tokometer {

class FailureBudget {
 public:
  struct Spent {
    std::string_view reason;  // of the records' end line
    std::string_view fault;   // a sentence
  };

  // Completions in the order in which they are heard of; cancelled ones say nothing. Set: the run has to end.
  std::optional<Spent> note(const Completion& completion);

 private:
  uint64_t failures_in_a_row_ = 0, client_faults_in_a_row_ = 0;
  int64_t first_failure_ns_ = 0;  // of those in a row
};

}  // namespace tokometer

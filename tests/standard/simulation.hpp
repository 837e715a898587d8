// Drives one closed-loop pattern as the program does, on a simulated clock. One test, one thread.
#pragma once

#include <tokometer/random.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <vector>

#include "host.hpp"

namespace host {

// Drives a pattern as the program's scheduler does: asks until it waits, again at the time it asked for, and
// after each ended entry with that entry's end. Ends come in batches and out of order, as from several
// workers.
class Simulation {
 public:
  using Service = std::function<int64_t(int64_t released_ns)>;  // how long an entry takes

  Simulation(Pattern& pattern, Service service, int64_t batch_ns, uint64_t seed)
      : pattern_(pattern), service_(std::move(service)), batch_ns_(batch_ns), order_(seed, "order") {}

  void run_until(int64_t stop_ns) {
    ask_until_it_waits(0);
    while (!done_) {
      const int64_t next_ns = std::min(wait_ns_, next_batch_ns());
      if (next_ns >= stop_ns) return;
      if (wait_ns_ <= next_batch_ns()) {
        ask_until_it_waits(wait_ns_);
      } else {
        report_ends(next_ns);
      }
    }
  }

  std::vector<int64_t> releases;  // at_ns in order of the calls
  std::vector<int64_t> plans;     // now_ns of the call that gave each of them
  uint32_t most_active = 0, users = 0;
  uint64_t calls = 0, ended = 0;
  bool deadlock = false;
  uint32_t active = 0;

 private:
  void ask_until_it_waits(int64_t now_ns) {
    for (wait_ns_ = -1; wait_ns_ < 0 && !done_;) ask(now_ns);
  }

  void ask(int64_t now_ns) {
    const tkm_load_step step = pattern_.next(now_ns, active, ended);
    ++calls;
    users = step.users;
    if (step.action == TKM_LOAD_DONE) {
      done_ = true;
    } else if (step.action == TKM_LOAD_WAIT) {
      wait_ns_ = step.at_ns;
      deadlock = deadlock || (step.at_ns == INT64_MAX && active == 0);
      done_ = deadlock;
    } else {
      REQUIRE(step.action == TKM_LOAD_RELEASE);
      REQUIRE(step.at_ns >= now_ns);
      releases.push_back(step.at_ns);
      plans.push_back(now_ns);
      ends_.push_back(step.at_ns + service_(step.at_ns));
      most_active = std::max(most_active, ++active);
    }
  }

  // Ends are known at the next multiple of batch_ns.
  int64_t next_batch_ns() const {
    if (ends_.empty()) return INT64_MAX;
    const int64_t first = *std::min_element(ends_.begin(), ends_.end());
    return (first / batch_ns_ + 1) * batch_ns_;
  }

  void report_ends(int64_t now_ns) {
    std::vector<int64_t> batch;
    std::copy_if(ends_.begin(), ends_.end(), std::back_inserter(batch),
                 [&](int64_t end) { return end < now_ns; });
    std::erase_if(ends_, [&](int64_t end) { return end < now_ns; });
    order_.shuffle(batch);
    for (const int64_t end : batch) {
      --active, ++ended;
      ask_until_it_waits(end);
    }
  }

  Pattern& pattern_;
  Service service_;
  int64_t batch_ns_;
  tkm::Random order_;
  std::vector<int64_t> ends_;
  int64_t wait_ns_ = -1;
  bool done_ = false;
};

}  // namespace host

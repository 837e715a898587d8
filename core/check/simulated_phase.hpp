// A phase on a simulated clock, for the tests of load patterns: releases become entries that take a random
// time, so they end out of order; each end is told, as the engine does. Checks the rules of abi.h as it goes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/handles.hpp"

namespace tokometer::check {

struct PhaseOptions {
  bool is_open_loop = true;
  size_t releases = 500;  // stop after so many
  uint64_t seed = 1;      // of how long entries take
  int64_t mean_ns = 50'000'000;
  int fail_one_in = 0;     // of entries; 0: none
  bool asks_late = false;  // an open loop is asked for the next only when the last is due
};

struct Phase {
  std::vector<int64_t> times_ns;  // of the releases
  std::vector<uint32_t> users;    // as told with each
  uint32_t most_users = 0, most_active = 0;
  bool done = false;
  std::string failure;  // a negative status or a broken rule; empty: none
  enum class Rule { none, status, times, deadlock, calls } rule = Rule::none;  // what `failure` is about
};

Phase run_phase(Pattern& pattern, const PhaseOptions& options);

}  // namespace tokometer::check

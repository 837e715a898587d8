// What is in a plugin file, found out by a child process that loads it: nothing of it stays here, whatever it
// does. Used before the tests, and by the doctor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "check/finding.hpp"
#include "plugin/library.hpp"

namespace tokometer::check {

struct Survey {
  struct Found {
    int32_t kind;  // TKM_KIND_*
    std::string name;
  };
  std::vector<Found> components;
  std::vector<Error> errors;  // the loader's; empty: it loads
  Finding crash;              // of the process that loaded it; Outcome::pass: none

  bool loads() const { return errors.empty() && crash.outcome == Outcome::pass; }
};

Survey survey(const std::string& path, Trust trust, int64_t time_limit_ns);

}  // namespace tokometer::check

// How a run ended, as an exit code. One function for `run` and `report`, so that a report exits as its run
// did.
#pragma once

#include "metrics/summary.hpp"

namespace tokometer {

struct Outcome {
  bool records_incomplete = false;  // a record line or a report file is missing
  int stopped_by = 0;               // SIGINT, SIGTERM or SIGHUP; 0: nobody
  Grade verdict = Grade::valid;
  bool gate_failed = false;
};

// `strict`: SUSPECT counts as INVALID.
int exit_code(const Outcome& outcome, bool strict);

// From the records alone. The caller adds what only it knows: a report file that could not be written.
Outcome outcome_of(const Summary& summary);

}  // namespace tokometer

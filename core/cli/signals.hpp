// Signals of a run, taken one by one by the main thread: never a handler in the middle of something. Blocked
// before any thread starts, so every thread inherits that. What a signal means is decided by StopLadder,
// which knows no system.
#pragma once

#include <optional>
#include <string>

#include "engine/load_driver.hpp"

namespace tokometer {

// SIGPIPE and SIGXFSZ are ignored for good: a lost reader or a full quota is an error of write(2). No core
// dumps: they would hold secrets. Once, at the start of the program.
void prepare_process();

// INT, TERM, HUP and QUIT wait until next_signal() takes them. Call it before the first thread starts.
void block_signals();

// The next of them that has come, at once; 0: none.
int next_signal();

// From now on the program is making its report: `already` signals were taken in the run, and the third ends
// the program at once with 128 + `first`.
void leave_on_third_signal(int already, int first);

// Back to next_signal(), for another run in the same process. The first signal that came since
// leave_on_third_signal(); 0: none.
int take_late_signal();

class StopLadder {
 public:
  struct Step {
    enum class Kind { drain, cancel, leave, show_state } kind = Kind::drain;
    StopOrder order;       // of drain and cancel
    std::string sentence;  // for stderr; without the newline
  };

  // First: drain (TERM and HUP with a deadline). Second: cancel. Third: leave. QUIT: show the state, and go
  // on.
  Step take(int signal, uint64_t in_flight);

  int first() const noexcept { return first_; }  // 0: none that stops
  int count() const noexcept { return count_; }

 private:
  int first_ = 0;
  int count_ = 0;
};

}  // namespace tokometer

// Draws the progress of a run on stderr: on a terminal a small panel, four times a second, that goes away at
// the end; elsewhere a plain line every ten seconds; nothing if the user wants quiet. Other lines for stderr
// go through say(), so that they do not end up inside the panel.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "cli/progress.hpp"

namespace tokometer {

class Panel {
 public:
  enum class Kind { none, lines, terminal };
  explicit Panel(Kind kind) : kind_(kind) {}
  ~Panel() { clear(); }

  // Called every turn of the main loop; draws when it is time. Main thread.
  void show(const Progress& progress, int64_t now_ns);

  // Takes the panel off the screen. Any thread.
  void clear();

  // A line for stderr, without its newline. Any thread.
  void say(std::string_view line);

 private:
  void erase();  // mutex_ is held

  const Kind kind_;
  RateWindow rates_;
  int64_t next_ns_ = 0;
  std::mutex mutex_;
  size_t drawn_lines_ = 0;  // guarded by mutex_
};

}  // namespace tokometer

// What a plugin must leave alone in the process that loads it, as values to compare: threads, open files,
// locale, signals, umask, folder, environment, floating-point mode. Linux, the calling process.
#pragma once

#include <string>
#include <vector>

namespace tokometer::check {

enum class Aspect { threads, descriptors, locale, signals, surroundings, float_mode };
inline constexpr int kAspects = 6;

class ProcessState {
 public:
  static ProcessState now();

  // "threads: 1 before, 2 after"; empty: this aspect is as it was.
  std::string difference(const ProcessState& later, Aspect aspect) const;

 private:
  // For each aspect the facts, one a line.
  std::vector<std::vector<std::string>> facts_;
};

// What is written to stdout and stderr while it lives. Restores both at the end.
class OutputCatcher {
 public:
  OutputCatcher();
  ~OutputCatcher();
  OutputCatcher(const OutputCatcher&) = delete;
  OutputCatcher& operator=(const OutputCatcher&) = delete;
  std::string text() const;  // so far, at most 4 KiB

 private:
  int memory_, out_, err_;
};

}  // namespace tokometer::check

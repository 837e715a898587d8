// One child process, started without a shell and stopped by its id: the simulator, a launched server, a
// plugin check. The child is in a process group of its own and gets SIGTERM from the kernel when the thread
// that started it ends. Not thread-safe: one owner.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"

namespace tokometer {

class ChildProcess {
 public:
  struct Options {
    bool capture_stdout = true;   // read_line() reads it; false: the child shares our stdout
    bool keep_stdin_open = true;  // a pipe that closes when we end, however we end; false: /dev/null
    bool quiet_stderr = false;    // true: /dev/null; false: the child shares our stderr
    std::vector<std::pair<std::string, std::string>> environment = {};  // added to ours
  };

  // argv[0] is a path (a name without a slash is searched in PATH). Fails, with the path and the system's
  // reason, also when the exec itself fails in the child.
  static Result<ChildProcess> start(std::vector<std::string> argv, const Options& options);
  static Result<ChildProcess> start(std::vector<std::string> argv);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // stop(0) if it still runs

  // The next line of the child's stdout without its '\n'. Fails at the end of the output, after timeout_ns,
  // or when a line is longer than 64 KiB.
  Result<std::string> read_line(int64_t timeout_ns);

  // To the child's stdin, whole. Fails if the child no longer reads.
  Result<void> write(std::string_view bytes);
  void close_stdin() noexcept { stdin_.reset(); }

  pid_t pid() const noexcept { return pid_; }

  // The exit status (128 + n for signal n) once the child has ended, also on later calls; nullopt after
  // timeout_ns.
  std::optional<int> wait(int64_t timeout_ns);

  // Closes stdin, sends SIGTERM to the child's group, waits grace_ns, then SIGKILL; reaps it.
  void stop(int64_t grace_ns);

 private:
  ChildProcess() = default;

  pid_t pid_ = -1;
  std::optional<int> status_;
  Descriptor stdin_, stdout_;
  std::string buffer_;  // read from the child, not yet taken as lines
};

}  // namespace tokometer

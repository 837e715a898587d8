#include "check/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>  // sigabbrev_np
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "check/sanitizer.hpp"
#include "plugin/crash.hpp"

namespace tokometer::check {
namespace {

constexpr size_t kMaxResultBytes = 16 * 1024;

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

// A plugin that allocates without end must not take the machine with it.
void limit_memory() {
  constexpr rlim_t kMostBytes = rlim_t{4} << 30U;
  const rlimit limit{kMostBytes, kMostBytes};
  if (!kIsSanitized) ::setrlimit(RLIMIT_DATA, &limit);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
}

[[noreturn]] void be_child(const std::function<Finding()>& test, int result, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::setpgid(0, 0);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  limit_memory();
  // So that it dies of the signal in the end, whoever had a handler for it: a sanitizer, a test program.
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(number, SIG_DFL);
  install_crash_handler();
  set_log_sink([](LogLevel, std::string_view) {});
  const Finding finding = test();
  write_all(result,
            std::string(1, static_cast<char>('0' + static_cast<int>(finding.outcome))) + finding.sentence);
  ::_exit(0);
}

// All that the child writes, until it has closed the pipe; nothing: it took too long.
std::optional<std::string> read_result(int fd, int64_t until_ns) {
  const SteadyClock clock;
  std::string text;
  for (;;) {
    const int64_t left_ms = (until_ns - clock.now_ns()) / 1'000'000;
    if (left_ms <= 0) return std::nullopt;
    pollfd waited{fd, POLLIN, 0};
    if (::poll(&waited, 1, static_cast<int>(std::min<int64_t>(left_ms, 60'000))) <= 0) continue;
    std::array<char, 4096> piece{};
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<size_t>(got));
    if (text.size() > kMaxResultBytes) return text;
  }
}

// Ends what is left of the child's process group and returns its wait status.
int end_child(pid_t pid, bool has_ended) {
  siginfo_t info{};
  if (!has_ended) ::kill(-pid, SIGKILL);
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  ::kill(-pid, SIGKILL);  // not reaped yet, so the group's id is still the child's
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// ", call data": out of the crash handler's line, if there is one.
std::string last_words(int output) {
  std::array<char, 4096> bytes{};
  const off_t size = ::lseek(output, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(bytes.size()));
  const ssize_t got = ::pread(output, bytes.data(), bytes.size(), from);
  const std::string_view text(bytes.data(), static_cast<size_t>(std::max<ssize_t>(got, 0)));
  constexpr std::string_view kMark = "), call ";
  const size_t line = text.rfind("tokometer: crashed in plugin ");
  const size_t at = line == text.npos ? line : text.find(kMark, line);
  if (at == text.npos) return {};
  const std::string_view call = text.substr(at + kMark.size());
  return " in call " + escape_terminal(call.substr(0, call.find(':')), 40);
}

Finding crash_of(int signal, int output) {
  const char* name = ::sigabbrev_np(signal);
  const std::string shown = name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
  return {Outcome::crashed, shown + last_words(output)};
}

}  // namespace

Finding run_in_child(const std::function<Finding()>& test, int64_t time_limit_ns) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) return fail("cannot make a pipe");
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const Descriptor output(::memfd_create("output", MFD_CLOEXEC));
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail("cannot start a child process");
  if (pid == 0) be_child(test, write_end.get(), output.get(), parent);
  ::setpgid(pid, pid);  // here too: whoever comes first
  write_end.reset();
  const auto text = read_result(read_end.get(), SteadyClock().now_ns() + time_limit_ns);
  const int status = end_child(pid, text.has_value());
  if (!text) return fail("had not ended after " + format_duration(time_limit_ns));
  if (WIFSIGNALED(status)) return crash_of(WTERMSIG(status), output.get());
  const int outcome = text->empty() ? -1 : text->front() - '0';
  if (outcome < 0 || outcome > static_cast<int>(Outcome::crashed)) {
    return fail("the process ended in the middle, with exit status " + std::to_string(WEXITSTATUS(status)));
  }
  return {static_cast<Outcome>(outcome), text->substr(1)};
}

}  // namespace tokometer::check

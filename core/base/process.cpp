#include "base/process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>  // strerrordesc_np
extern "C" {         // glibc 2.36 forgot to say so itself
#include <sys/pidfd.h>
}
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/clock.hpp"

namespace tokometer {
namespace {

constexpr size_t kMaxLineBytes = 64 * 1024;

struct Pipe {
  Descriptor read, write;
};

std::string reason(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

// Both ends above 2, so that the child can put them on 0 and 1 without a clash, and closed on exec.
bool make_pipe(Pipe& pipe) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) return false;
  const Descriptor low_read(ends[0]), low_write(ends[1]);
  pipe.read = Descriptor(::fcntl(low_read.get(), F_DUPFD_CLOEXEC, 3));
  pipe.write = Descriptor(::fcntl(low_write.get(), F_DUPFD_CLOEXEC, 3));
  return pipe.read && pipe.write;
}

std::vector<std::string> child_environment(
    const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    bool replaced = false;
    for (const auto& [name, value] : additions) replaced |= text.starts_with(name + "=");
    if (!replaced) entries.emplace_back(text);
  }
  for (const auto& [name, value] : additions) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What the child needs between fork and exec, made before: there it may not allocate.
struct ChildPlan {
  char* const* argv;
  char* const* envp;
  pid_t parent;
  int stdin_fd, stdout_fd, stderr_fd, failure_fd;  // -1: keep ours
};

void default_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int ignored : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(ignored, SIG_DFL);
}

[[noreturn]] void become_child(const ChildPlan& plan) {
  default_signals();
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != plan.parent) ::_exit(127);  // it ended before the line above
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);    // what others opened without O_CLOEXEC is not the child's
  const bool placed = (plan.stdin_fd < 0 || ::dup2(plan.stdin_fd, 0) >= 0) &&
                      (plan.stdout_fd < 0 || ::dup2(plan.stdout_fd, 1) >= 0) &&
                      (plan.stderr_fd < 0 || ::dup2(plan.stderr_fd, 2) >= 0);
  if (placed) ::execvpe(plan.argv[0], plan.argv, plan.envp);
  const int error = errno;
  const ssize_t told = ::write(plan.failure_fd, &error, sizeof error);
  ::_exit(told == sizeof error ? 127 : 126);
}

// Blocks until the descriptor is ready or the deadline has passed; false: passed.
bool await(int fd, short events, int64_t deadline_ns) {
  const SteadyClock clock;
  for (;;) {
    const int64_t left_ns = std::max<int64_t>(0, deadline_ns - clock.now_ns());
    const timespec left{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    pollfd waited{fd, events, 0};
    const int ready = ::ppoll(&waited, 1, &left, nullptr);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

int64_t deadline(int64_t timeout_ns) {
  const int64_t now = SteadyClock().now_ns();
  return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

}  // namespace

Result<ChildProcess> ChildProcess::start(std::vector<std::string> argv) {
  return start(std::move(argv), Options{});
}

Result<ChildProcess> ChildProcess::start(std::vector<std::string> argv, const Options& options) {
  Pipe input, output, failure;
  const Descriptor low_null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const Descriptor null(::fcntl(low_null.get(), F_DUPFD_CLOEXEC, 3));
  if (!null || !make_pipe(failure) || !make_pipe(input) || !make_pipe(output)) {
    return Error{argv[0] + ": cannot start: " + reason(errno)};
  }
  std::vector<std::string> environment = child_environment(options.environment);
  const std::vector<char*> argv_pointers = pointers_to(argv), env_pointers = pointers_to(environment);
  const ChildPlan plan{argv_pointers.data(),
                       env_pointers.data(),
                       ::getpid(),
                       options.keep_stdin_open ? input.read.get() : null.get(),
                       options.capture_stdout ? output.write.get() : -1,
                       options.quiet_stderr ? null.get() : -1,
                       failure.write.get()};
  ChildProcess child;
  child.pid_ = ::fork();
  if (child.pid_ < 0) return Error{argv[0] + ": cannot start: " + reason(errno)};
  if (child.pid_ == 0) become_child(plan);
  ::setpgid(child.pid_, child.pid_);  // here too: whoever comes first
  failure.write.reset();
  int error = 0;
  if (::read(failure.read.get(), &error, sizeof error) == sizeof error) {
    child.wait(INT64_MAX);
    return Error{argv[0] + ": cannot start: " + reason(error)};
  }
  if (options.keep_stdin_open) child.stdin_ = std::move(input.write);
  if (options.capture_stdout) child.stdout_ = std::move(output.read);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      status_(other.status_),
      stdin_(std::move(other.stdin_)),
      stdout_(std::move(other.stdout_)),
      buffer_(std::move(other.buffer_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ > 0 && !status_) stop(0);
}

Result<std::string> ChildProcess::read_line(int64_t timeout_ns) {
  const int64_t until = deadline(timeout_ns);
  for (;;) {
    if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > kMaxLineBytes) return Error{"the program printed a line without end"};
    if (!await(stdout_.get(), POLLIN, until)) {
      return Error{"the program printed nothing in " + std::to_string(timeout_ns / 1'000'000) + " ms"};
    }
    std::array<char, 4096> piece{};
    const ssize_t got = ::read(stdout_.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Error{"the program closed its output"};
    buffer_.append(piece.data(), static_cast<size_t>(got));
  }
}

Result<void> ChildProcess::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(stdin_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Error{"cannot write to the program: " + reason(errno)};
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

std::optional<int> ChildProcess::wait(int64_t timeout_ns) {
  if (status_) return status_;
  const Descriptor handle(::pidfd_open(pid_, 0));
  if (handle && !await(handle.get(), POLLIN, deadline(timeout_ns))) return std::nullopt;
  int raw = 0;
  while (::waitpid(pid_, &raw, 0) < 0 && errno == EINTR) {
  }
  status_ = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
  return status_;
}

void ChildProcess::stop(int64_t grace_ns) {
  close_stdin();
  if (status_) return;
  ::kill(-pid_, SIGTERM);
  const Descriptor handle(::pidfd_open(pid_, 0));
  if (handle) await(handle.get(), POLLIN, deadline(grace_ns));
  // The leader is not reaped yet, so the group's id is still ours; this ends whatever it left behind, too.
  ::kill(-pid_, SIGKILL);
  wait(INT64_MAX);
}

}  // namespace tokometer

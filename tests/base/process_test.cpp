// Real children: /bin/cat and /bin/sh. Nothing sleeps here; waits are for what the child does.
#include "base/process.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

extern "C" {  // glibc 2.36 forgot to say so in this header
#include <sys/pidfd.h>
}

namespace tokometer {
namespace {

constexpr int64_t kLong = 20'000'000'000;  // no test waits so long unless something is broken

ChildProcess shell(const std::string& script, ChildProcess::Options options = {}) {
  auto child = ChildProcess::start({"/bin/sh", "-c", script}, std::move(options));
  REQUIRE(child.ok());
  return std::move(*child);
}

std::string line(ChildProcess& child) {
  auto text = child.read_line(kLong);
  return text ? *text : "(" + text.error().message + ")";
}

}  // namespace

TEST_CASE("lines of a child, its end and its status") {
  ChildProcess child = shell("echo one; echo; printf three; exit 7");
  CHECK(line(child) == "one");
  CHECK(line(child).empty());
  CHECK(line(child) == "(the program closed its output)");  // an unfinished line is none
  CHECK(child.wait(kLong) == 7);
  CHECK(child.wait(0) == 7);
}

TEST_CASE("a child reads what is written and ends with its input") {
  auto cat = ChildProcess::start({"cat"});  // found in PATH
  REQUIRE(cat.ok());
  REQUIRE(cat->write("hello\nworld\n").ok());
  CHECK(line(*cat) == "hello");
  CHECK(line(*cat) == "world");
  CHECK_FALSE(cat->wait(0).has_value());
  cat->close_stdin();
  CHECK(cat->wait(kLong) == 0);
}

TEST_CASE("waiting for a line ends with the timeout") {
  auto cat = ChildProcess::start({"/bin/cat"});
  REQUIRE(cat.ok());
  const auto nothing = cat->read_line(1'000'000);
  REQUIRE_FALSE(nothing.ok());
  CHECK(nothing.error().message == "the program printed nothing in 1 ms");
}

TEST_CASE("a line without end is refused") {
  ChildProcess child = shell("head -c 200000 /dev/zero | tr '\\0' x");
  CHECK(line(child) == "(the program printed a line without end)");
}

TEST_CASE("a program that cannot be started") {
  const auto missing = ChildProcess::start({"/no/such/program"});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message == "/no/such/program: cannot start: No such file or directory");
  const auto folder = ChildProcess::start({"/tmp"});
  REQUIRE_FALSE(folder.ok());
  CHECK(folder.error().message == "/tmp: cannot start: Permission denied");
}

TEST_CASE("a signal's number is in the status") {
  ChildProcess child = shell("kill -9 $$");
  CHECK(child.wait(kLong) == 128 + SIGKILL);
}

TEST_CASE("stop asks with SIGTERM first") {
  ChildProcess child = shell("trap 'exit 3' TERM; echo ready; while :; do read -r x; done");
  CHECK(line(child) == "ready");
  child.stop(kLong);
  CHECK(child.wait(0) == 3);
  child.stop(kLong);  // already stopped: nothing happens
}

TEST_CASE("stop kills what does not listen, and its children") {
  ChildProcess child =
      shell("trap '' TERM; (trap '' TERM; echo $$; exec tail -f /dev/null) & echo ready; wait");
  line(child);
  line(child);
  child.stop(0);
  CHECK(child.wait(0) == 128 + SIGKILL);
  // Nobody of the group holds the output any more: it ends.
  CHECK(line(child) == "(the program closed its output)");
}

TEST_CASE("a child that goes out of scope is stopped") {
  pid_t pid = 0;
  {
    ChildProcess child = shell("exec tail -f /dev/null");
    pid = child.pid();
    CHECK(::kill(pid, 0) == 0);
    ChildProcess moved = std::move(child);
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) == -1);
  CHECK(errno == ESRCH);
}

TEST_CASE("the environment is ours with additions; no signal is ignored") {
  ::setenv("TOKOMETER_TEST_OURS", "kept", 1);
  ::setenv("TOKOMETER_TEST_CHANGED", "old", 1);
  ::signal(SIGPIPE, SIG_IGN);
  ChildProcess::Options options;
  options.environment = {{"TOKOMETER_TEST_CHANGED", "new"}, {"TOKOMETER_TEST_ADDED", "x=y"}};
  ChildProcess child = shell(
      "echo \"$TOKOMETER_TEST_OURS $TOKOMETER_TEST_CHANGED $TOKOMETER_TEST_ADDED\"; grep SigIgn "
      "/proc/$$/status",
      options);
  CHECK(line(child) == "kept new x=y");
  CHECK(line(child) == "SigIgn:\t0000000000000000");
  ::signal(SIGPIPE, SIG_DFL);
}

TEST_CASE("a child has no descriptors but its three, also of those opened without care") {
  const int careless = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC on purpose
  auto ls = ChildProcess::start({"/bin/ls", "/proc/self/fd"});
  REQUIRE(ls.ok());
  for (const char* fd : {"0", "1", "2", "3"}) CHECK(line(*ls) == fd);  // 3: ls itself reads the folder
  CHECK(line(*ls) == "(the program closed its output)");
  ::close(careless);
}

TEST_CASE("without a pipe the input is empty") {
  ChildProcess::Options options;
  options.keep_stdin_open = false;
  options.quiet_stderr = true;
  ChildProcess child = shell("cat; echo end; echo noise >&2", options);
  CHECK(line(child) == "end");
  CHECK(child.wait(kLong) == 0);
}

TEST_CASE("the child ends when its parent is killed") {
  // A helper process of ours starts the child and is killed.
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t helper = ::fork();
  if (helper == 0) {
    auto child = ChildProcess::start({"/bin/sh", "-c", "trap '' HUP; exec tail -f /dev/null"});
    const pid_t pid = child ? child->pid() : -1;
    const ssize_t told = ::write(ends[1], &pid, sizeof pid);
    ::kill(::getpid(), told == sizeof pid ? SIGKILL : SIGABRT);
  }
  ::close(ends[1]);
  pid_t grandchild = 0;
  REQUIRE(::read(ends[0], &grandchild, sizeof grandchild) == sizeof grandchild);
  REQUIRE(grandchild > 0);
  ::waitpid(helper, nullptr, 0);
  pollfd handle{::pidfd_open(grandchild, 0), POLLIN, 0};
  // No handle: it is gone already, and reaped by whoever adopted it.
  if (handle.fd >= 0) CHECK(::poll(&handle, 1, 20'000) == 1);
  ::close(handle.fd);
  ::close(ends[0]);
}

}  // namespace tokometer

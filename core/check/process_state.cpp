#include "check/process_state.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cfenv>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "check/finding.hpp"

namespace tokometer::check {
namespace {

namespace fs = std::filesystem;
using Facts = std::vector<std::string>;

Facts threads() {
  std::error_code failure;
  const auto count =
      std::distance(fs::directory_iterator("/proc/self/task", failure), fs::directory_iterator());
  return {std::to_string(count) + " threads"};
}

Facts descriptors() {
  Facts facts;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", failure)) {
    const std::string number = entry.path().filename().string();
    const fs::path target = fs::read_symlink(entry.path(), failure);
    if (target.string().find("/fd") == std::string::npos)
      facts.push_back("descriptor " + number + " is " + target.string());
  }
  std::sort(facts.begin(), facts.end());
  return facts;
}

Facts locale() {
  return {"locale " + std::string(std::setlocale(LC_ALL, nullptr))};
}

Facts signals() {
  Facts facts;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0) continue;
    const auto handler = reinterpret_cast<uintptr_t>(action.sa_handler);
    const std::string name = "signal " + std::to_string(number);
    if (sigismember(&blocked, number) == 1) facts.push_back(name + " is blocked");
    if (handler != 0) facts.push_back(name + (handler == 1 ? " is ignored" : " has a handler"));
  }
  return facts;
}

Facts surroundings() {
  const mode_t mask = umask(0);
  umask(mask);
  std::error_code failure;
  Facts facts{"umask " + std::to_string(mask), "working directory " + fs::current_path(failure).string()};
  for (char** entry = environ; *entry != nullptr; ++entry)
    facts.push_back("environment " + std::string(*entry));
  return facts;
}

// A library linked with -ffast-math makes tiny numbers zero in the whole process.
Facts float_mode() {
  Facts facts{"rounding mode " + std::to_string(std::fegetround())};
#if defined __x86_64__
  constexpr unsigned kRaisedFlags = 0x3f;
  facts.push_back("control word " + std::to_string(__builtin_ia32_stmxcsr() & ~kRaisedFlags));
#elif defined __aarch64__
  uint64_t control = 0;
  __asm__("mrs %0, fpcr" : "=r"(control));
  facts.push_back("control word " + std::to_string(control));
#endif
  return facts;
}

// The first line that is in `all` and not in `others`.
std::string first_missing(const Facts& all, const Facts& others) {
  for (const std::string& fact : all) {
    if (std::find(others.begin(), others.end(), fact) == others.end()) return fact;
  }
  return {};
}

}  // namespace

ProcessState ProcessState::now() {
  ProcessState state;
  state.facts_ = {threads(), descriptors(), locale(), signals(), surroundings(), float_mode()};
  return state;
}

std::string ProcessState::difference(const ProcessState& later, Aspect aspect) const {
  const Facts& before = facts_[static_cast<size_t>(aspect)];
  const Facts& after = later.facts_[static_cast<size_t>(aspect)];
  const std::string fresh = first_missing(after, before), gone = first_missing(before, after);
  if (fresh.empty() && gone.empty()) return {};
  return (fresh.empty() ? "nothing" : in_quotes(fresh)) + " after, " +
         (gone.empty() ? "not" : in_quotes(gone)) + " before";
}

OutputCatcher::OutputCatcher()
    : memory_(memfd_create("caught", MFD_CLOEXEC)), out_(dup(STDOUT_FILENO)), err_(dup(STDERR_FILENO)) {
  std::fflush(nullptr);
  dup2(memory_, STDOUT_FILENO);
  dup2(memory_, STDERR_FILENO);
}

OutputCatcher::~OutputCatcher() {
  std::fflush(nullptr);
  dup2(out_, STDOUT_FILENO);
  dup2(err_, STDERR_FILENO);
  for (const int fd : {memory_, out_, err_}) close(fd);
}

std::string OutputCatcher::text() const {
  std::fflush(nullptr);
  std::array<char, 4096> bytes{};
  const ssize_t got = pread(memory_, bytes.data(), bytes.size(), 0);
  return {bytes.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

}  // namespace tokometer::check

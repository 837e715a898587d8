#include "plugin/crash.hpp"

#include <csignal>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

namespace tokometer {
namespace {

struct Signal {
  int number;
  const char* name;
};
constexpr Signal kSignals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};
constexpr size_t kSignalCount = sizeof kSignals / sizeof *kSignals;
struct sigaction previous_actions[kSignalCount];

constexpr size_t kGuardBytes = 4096;
constexpr size_t kStackBytes = 64 * 1024;

// Appends to a fixed buffer; what does not fit is cut.
class Line {
 public:
  Line(char* buffer, size_t size) : buffer_(buffer), size_(size) {}
  Line& add(const char* text) {
    const size_t length = text == nullptr ? 0 : strnlen(text, size_ - used_);
    std::memcpy(buffer_ + used_, text, length);
    used_ += length;
    return *this;
  }
  // The last byte is the newline, whatever was cut.
  size_t end() {
    if (used_ == size_ && used_ > 0) --used_;
    if (used_ < size_) buffer_[used_++] = '\n';
    return used_;
  }

 private:
  char* buffer_;
  size_t size_, used_ = 0;
};

const char* signal_name(int number) {
  for (const Signal& signal : kSignals) {
    if (signal.number == number) return signal.name;
  }
  return "a signal";
}

extern "C" void on_crash(int number, siginfo_t* info, void*) {
  char line[1024];
  const size_t size = format_crash_line(line, sizeof line, number, this_thread_calls());
  const ssize_t written = write(STDERR_FILENO, line, size);
  static_cast<void>(written);  // there is nobody left to tell
  for (size_t i = 0; i < kSignalCount; ++i) {
    if (kSignals[i].number == number) sigaction(number, &previous_actions[i], nullptr);
  }
  // A fault happens again on return, now with the earlier action (a core, or a sanitizer's report). A sent
  // one does not.
  if (info->si_code <= 0) raise(number);
}

}  // namespace

size_t format_crash_line(char* buffer, size_t size, int signal_number, const CallSlot* slot) noexcept {
  Line line(buffer, size);
  line.add("tokometer: crashed in ");
  const bool inside = slot != nullptr && slot->serial.load(std::memory_order_relaxed) % 2 == 1;
  if (inside) {
    const CalledPlugin* plugin = slot->plugin.load(std::memory_order_relaxed);
    line.add("plugin ").add(plugin->name).add(" (").add(plugin->path).add(", ").add(plugin->version);
    line.add("), call ").add(slot->call.load(std::memory_order_relaxed));
  } else {
    line.add("core");
  }
  line.add(": ").add(signal_name(signal_number));
  return line.end();
}

void install_crash_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < kSignalCount; ++i) sigaction(kSignals[i].number, &action, &previous_actions[i]);
}

SignalStack::SignalStack() {
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;  // a crash is then reported unless the stack itself overflowed
  mprotect(memory, kGuardBytes, PROT_NONE);
  stack_t stack{};
  stack.ss_sp = static_cast<char*>(memory) + kGuardBytes;
  stack.ss_size = kStackBytes;
  sigaltstack(&stack, nullptr);
  memory_ = memory;
}

SignalStack::~SignalStack() {
  if (memory_ == nullptr) return;
  stack_t off{};
  off.ss_flags = SS_DISABLE;
  sigaltstack(&off, nullptr);
  munmap(memory_, kGuardBytes + kStackBytes);
}

}  // namespace tokometer

// The last words of a crashing process: one line on stderr that names the plugin and the call, or the core.
// cli installs it once; each thread that calls plugins needs a signal stack of its own, or a stack overflow
// stays silent.
//   tokometer: crashed in plugin vllm (/usr/lib/.../vllm.so, 0.1.0), call data: SIGSEGV
//   tokometer: crashed in core: SIGABRT
#pragma once

#include <cstddef>

#include "plugin/calls.hpp"

namespace tokometer {

// Writes the line, newline included, into `buffer`; returns its length, cut to `size`. Async-signal-safe.
size_t format_crash_line(char* buffer, size_t size, int signal_number, const CallSlot* slot) noexcept;

// For SEGV, BUS, FPE, ILL, ABRT: the line on stderr, then what the signal did before. Process-wide, once.
void install_crash_handler();

// A signal stack of 64 KiB for the calling thread, until the object ends on the same thread.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_ = nullptr;
};

}  // namespace tokometer

// Which plugin call each thread is in. The shim in handles.cpp enters and leaves; a crash handler (crash.hpp)
// reads its own thread's slot, a watchdog reads everybody's. Entering costs a few plain stores: no clock, no
// lock, no allocation (but for a thread's very first call). Time is the watchdog's: it sees the same call
// number again and again.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace tokometer {

// Zero-terminated and never freed: a signal handler reads them.
struct CalledPlugin {
  const char* name;  // the module
  const char* path;
  const char* version;
};

// How long a call may take. Setup calls read files and have no limit.
enum class CallTime : uint8_t { unlimited, limited };

struct CallSlot {
  std::atomic<uint64_t> serial{0};  // odd: inside a call; counts up at entry and at exit
  std::atomic<const CalledPlugin*> plugin{nullptr};
  std::atomic<const char*> call{nullptr};
  std::atomic<CallTime> time{CallTime::unlimited};
  std::atomic<bool> taken{true};  // false: its thread has ended, the next thread may have it
  CallSlot* next = nullptr;
};

// This thread is inside `call` (a string literal) of `plugin` until the end of the scope. A dataset's call
// may have one of the run's tokenizer inside: then that is the call that the thread is in, and its time its
// own.
class CallScope {
 public:
  CallScope(const CalledPlugin& plugin, const char* call, CallTime time) noexcept;
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  CallSlot& slot_;
  const bool nested_;
  const CalledPlugin* outer_plugin_ = nullptr;
  const char* outer_call_ = nullptr;
  CallTime outer_time_ = CallTime::unlimited;
};

// The slot of the calling thread; null before its first plugin call. Async-signal-safe.
const CallSlot* this_thread_calls() noexcept;

struct SlowCall {
  std::string plugin, path, version, call;
  int64_t at_least_ns;  // seen inside the call for this long
  bool fatal;           // over kFatalCallNs: the plugin hangs, the process must end (exit 1)
};
// `plugin "vllm" (/p/vllm.so, 0.1.0): call data takes longer than 100 ms` or `... has not returned for 5 s`.
std::string to_string(const SlowCall& slow);

inline constexpr int64_t kSlowCallNs = 100'000'000;
inline constexpr int64_t kFatalCallNs = 5'000'000'000;

// Finds calls that take too long. Call check() about every 100 ms, always from one thread. A slow call is
// told once, a hanging one once more. A call that ends before its second check goes unseen.
class CallWatchdog {
 public:
  std::vector<SlowCall> check(int64_t now_ns);

 private:
  struct Seen {
    uint64_t serial = 0;
    int64_t since_ns = 0;
    bool told_slow = false, told_fatal = false;
  };
  std::unordered_map<const CallSlot*, Seen> seen_;
};

}  // namespace tokometer

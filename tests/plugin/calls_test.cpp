#include "plugin/calls.hpp"

#include <doctest/doctest.h>

#include <thread>

namespace tokometer {
namespace {

const CalledPlugin kPlugin{"vllm", "/p/vllm.so", "0.1.0"};
constexpr int64_t kMs = 1'000'000;

// What the watchdog says about this test's own calls; other tests' threads are long gone.
std::vector<std::string> told(CallWatchdog& watchdog, int64_t now_ms) {
  std::vector<std::string> lines;
  for (const SlowCall& slow : watchdog.check(now_ms * kMs)) {
    lines.push_back((slow.fatal ? "fatal " : "slow ") + slow.call);
  }
  return lines;
}
using Lines = std::vector<std::string>;

TEST_CASE("a slow call is told once and a hanging one once more") {
  CallWatchdog watchdog;
  const CallScope scope(kPlugin, "data", CallTime::limited);
  CHECK(told(watchdog, 0) == Lines{});
  CHECK(told(watchdog, 99) == Lines{});
  CHECK(told(watchdog, 100) == Lines{"slow data"});
  CHECK(told(watchdog, 4999) == Lines{});
  CHECK(told(watchdog, 5000) == Lines{"fatal data"});
  CHECK(told(watchdog, 9000) == Lines{});
}

TEST_CASE("many short calls are not one long call") {
  CallWatchdog watchdog;
  for (int64_t now_ms = 0; now_ms < 10'000; now_ms += 99) {
    const CallScope scope(kPlugin, "data", CallTime::limited);
    CHECK(told(watchdog, now_ms) == Lines{});
  }
}

TEST_CASE("a call inside a call is the one that the thread is in, with a time of its own") {
  CallWatchdog watchdog;
  const CalledPlugin tokenizer{"tokenizer-hf", "/p/tokenizer-hf.so", "0.1.0"};
  const CallScope outer(kPlugin, "next", CallTime::limited);
  CHECK(told(watchdog, 0) == Lines{});
  {
    const CallScope inner(tokenizer, "encode", CallTime::limited);
    CHECK(told(watchdog, 60) == Lines{});
    CHECK(this_thread_calls()->plugin.load() == &tokenizer);
    CHECK(told(watchdog, 160) == Lines{"slow encode"});
  }
  CHECK(this_thread_calls()->plugin.load() == &kPlugin);
  CHECK(told(watchdog, 161) == Lines{});
  CHECK(told(watchdog, 261) == Lines{"slow next"});
}

TEST_CASE("setup calls and threads outside a plugin are never slow") {
  CallWatchdog watchdog;
  { const CallScope scope(kPlugin, "data", CallTime::limited); }
  CHECK(told(watchdog, 0) == Lines{});
  CHECK(told(watchdog, 60'000) == Lines{});
  const CallScope scope(kPlugin, "create", CallTime::unlimited);
  CHECK(told(watchdog, 60'000) == Lines{});
  CHECK(told(watchdog, 120'000) == Lines{});
}

TEST_CASE("the watchdog sees other threads, whose slots go to later threads") {
  CallWatchdog watchdog;
  const CallSlot* first = nullptr;
  std::thread([&] {
    const CallScope scope(kPlugin, "encode", CallTime::limited);
    first = this_thread_calls();
    std::thread([&] {  // a second thread looks at the first one's call
      CHECK(this_thread_calls() == nullptr);
      CHECK(told(watchdog, 0) == Lines{});
      CHECK(told(watchdog, 200) == Lines{"slow encode"});
    })
        .join();
  }).join();
  std::thread([&] {
    const CallScope scope(kPlugin, "encode", CallTime::limited);
    CHECK(this_thread_calls() == first);
  }).join();
}

TEST_CASE("the sentence names plugin, file and call") {
  SlowCall slow{"vllm", "/p/vllm.so", "0.1.0", "data", 120 * kMs, false};
  CHECK(to_string(slow) == "plugin \"vllm\" (/p/vllm.so, 0.1.0): call data takes longer than 100ms");
  slow.fatal = true;
  CHECK(to_string(slow) == "plugin \"vllm\" (/p/vllm.so, 0.1.0): call data has not returned for 5s");
}

}  // namespace
}  // namespace tokometer

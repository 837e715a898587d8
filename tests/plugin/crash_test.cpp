#include "plugin/crash.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <string>
#include <string_view>

#include "fixtures.hpp"
#include "plugin/handles.hpp"

namespace tokometer {
namespace {

using fixtures::bad, fixtures::component, fixtures::good;

// Runs `body` in a child with the crash handler; what it wrote to stderr, and the signal that it died of.
struct Last {
  std::string words;
  int signal = 0;
};
constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
Last last_words_of(const std::function<void()>& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    // The test program and the sanitizers have handlers of their own.
    for (const int each : kSignals) signal(each, SIG_DFL);
    const SignalStack stack;
    install_crash_handler();
    body();
    _exit(0);
  }
  close(ends[1]);
  Last last;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    last.words.append(buffer.data(), static_cast<size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  last.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return last;
}
void encode_crashes(std::string_view how) {
  auto processor = Processor::create(component(good("misbehaving"), TKM_KIND_PROCESSOR), {.config_json = ""});
  tkm_prompt prompt{};
  prompt.struct_size = sizeof prompt;
  prompt.text = {how.data(), how.size()};
  const tkm_request_out out{};
  std::string err;
  processor->encode(prompt, out, err);
}

TEST_CASE("the line on stderr names the plugin and the call that crashed") {
  Last last;
  std::string expected;
  int signal = SIGSEGV;
  SUBCASE("a bad pointer in a call") {
    last = last_words_of([] { encode_crashes("crash"); });
    expected = "plugin misbehaving (" + good("misbehaving").string() + ", 6.6.6), call encode: SIGSEGV";
  }
  SUBCASE("abort in a call") {
    last = last_words_of([] { encode_crashes("abort"); });
    expected = "plugin misbehaving (" + good("misbehaving").string() + ", 6.6.6), call encode: SIGABRT";
    signal = SIGABRT;
  }
  SUBCASE("a static initialiser") {
    last = last_words_of([] { static_cast<void>(load_library(bad("crash-at-load"), Trust::check)); });
    expected = "plugin crash-at-load (" + bad("crash-at-load").string() + ", 1.0.0), call load: SIGILL";
    signal = SIGILL;
  }
  SUBCASE("not in a plugin, though one was called before") {
    last = last_words_of([] {
      encode_crashes("");
      raise(SIGSEGV);
    });
    expected = "core: SIGSEGV";
  }
  CHECK(last.signal == signal);
  CHECK(last.words == "tokometer: crashed in " + expected + "\n");
}

TEST_CASE("a stack that overflows in a plugin is told too") {
  const Last last = last_words_of([] {
    const CalledPlugin plugin{"deep", "/p/deep.so", "1"};
    const CallScope scope(plugin, "data", CallTime::limited);
    std::function<int(volatile char*)> dive = [&](volatile char* above) {
      volatile char frame[4096];
      frame[0] = *above;
      return dive(frame) + frame[0];
    };
    volatile char top = 1;
    dive(&top);
  });
  CHECK(last.signal == SIGSEGV);
  CHECK(last.words == "tokometer: crashed in plugin deep (/p/deep.so, 1), call data: SIGSEGV\n");
}

TEST_CASE("the line fits its buffer and ends with a newline") {
  const std::string long_path(5000, 'p');
  const CalledPlugin plugin{"vllm", long_path.c_str(), "1"};
  const CallScope scope(plugin, "data", CallTime::limited);
  std::array<char, 64> buffer{};
  const size_t size = format_crash_line(buffer.data(), buffer.size(), SIGBUS, this_thread_calls());
  CHECK(size == buffer.size());
  CHECK(std::string(buffer.data(), size) ==
        "tokometer: crashed in plugin vllm (" + std::string(28, 'p') + "\n");
  CHECK(format_crash_line(buffer.data(), 0, SIGBUS, nullptr) == 0);
  CHECK(std::string(buffer.data(), format_crash_line(buffer.data(), 64, SIGFPE, nullptr)) ==
        "tokometer: crashed in core: SIGFPE\n");
}

}  // namespace
}  // namespace tokometer

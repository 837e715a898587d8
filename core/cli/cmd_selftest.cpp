// `tokometer selftest`: what can this host be trusted to measure? An idle look, the two highest rates, then a
// part of each, where the client is asked for its own lag. No search: a rate is halved once more at most.
#include <algorithm>
#include <cmath>

#include "cli/commands.hpp"
#include "cli/host.hpp"
#include "cli/input.hpp"
#include "cli/print.hpp"
#include "cli/selftest_result.hpp"
#include "cli/selftest_run.hpp"
#include "cli/signals.hpp"
#include "telemetry/client.hpp"

namespace tokometer {
namespace {

constexpr int64_t kIdleNs = 2'000'000'000;
constexpr double kParts[] = {0.5, 0.25};  // of the highest rate, until the client has no doubts
constexpr double kMostStreams = 2000, kFewestStreams = 16;
constexpr double kLongestGapS = 0.1;  // between two tokens of a stream: 20 to 30 of them in a window
constexpr double kReplyS = 1;         // of a stream

std::string number(double value) {
  return std::to_string(std::llround(value));
}

// A run file for the simulator: small prompts, one phase, records that need no disk.
std::string run_file(const std::string& sim, const std::string& load, double tokens,
                     const std::string& phase) {
  return "version: 1\nname: selftest\ntarget: {sim: {" + sim + "}}\nprocessor: openai\n" +
         "request: {cache_salt: none}\n" +
         "dataset: {use: synthetic, options: {input_tokens: 8, output_tokens: " + number(tokens) + "}}\n" +
         "load: {" + load + "}\n" + "phases: [{name: main, " + phase + ", cooldown: none, drain: cancel}]\n" +
         "output: {records: {sync: off}}\n";
}

std::string closed(double users) {
  return "use: concurrency, options: {users: " + number(users) + "}";
}

std::string top_requests_file() {
  return run_file("mode: instant", closed(64), 1, "duration: 3s, warmup: 1s");
}

std::string top_events_file() {
  return run_file("mode: instant", closed(16), 256, "duration: 3s, warmup: 1s");
}

std::string open_loop_file(double rate) {
  return run_file("mode: instant", "use: poisson, options: {rate: " + number(std::max(rate, 1.0)) + "}", 1,
                  "duration: 3s, warmup: 1s");
}

// So many streams that they bring `events_per_s` with gaps of at most kLongestGapS, spread evenly.
std::string streams_file(double events_per_s) {
  const double streams = std::clamp(events_per_s * kLongestGapS, kFewestStreams, kMostStreams);
  const double gap_s = std::min(streams / std::max(events_per_s, 1.0), kLongestGapS);
  const std::string gap = number(gap_s * 1e6) + "us";
  return run_file("mode: fixed, ttft: " + gap + ", itl: " + gap + ", ttft_spread: " + gap, closed(streams),
                  std::max(kReplyS / gap_s, 2.0), "duration: 3500ms, warmup: 1500ms");
}

class SelfTestCommand {
 public:
  SelfTestCommand(const CommandLine& line, SelfTestRuns& runs) : line_(line), runs_(runs) {}

  Result<SelfTest> run() {
    test_.host = host_facts();
    say("1 of 5: is the host calm? 2 s");
    if (!look_at_idle_host()) return Error{"stopped before the end: no result"};
    say("2 of 5: how many short requests? 3 s");
    if (auto done = take(test_.top_requests, "top-requests", top_requests_file()); !done)
      return done.errors();
    say("3 of 5: how many events? 3 s");
    if (auto done = take(test_.top_events, "top-events", top_events_file()); !done) return done.errors();
    say("4 of 5: an open loop below the highest rate, 3 to 6 s");
    const double requests = test_.top_requests.requests_per_s;
    if (auto done = try_parts(test_.requests, "open-loop", requests, open_loop_file); !done)
      return done.errors();
    say("5 of 5: many streams, 4 to 8 s");
    if (auto done = try_parts(test_.streams, "streams", test_.top_events.events_per_s, streams_file); !done)
      return done.errors();
    return test_;
  }

 private:
  void say(const std::string& what) const {
    if (!line_.quiet) complain("tokometer: selftest " + what + "\n");
  }

  bool look_at_idle_host() {
    const SteadyClock clock;
    const HostSampler sampler(clock);
    const int64_t begin_ns = clock.now_ns();
    if (!runs_.rest(kIdleNs)) return false;
    const auto watched_ns = static_cast<double>(clock.now_ns() - begin_ns);
    test_.idle_s = watched_ns / 1e9;
    test_.idle_lost_share = static_cast<double>(sampler.lost_ns()) / watched_ns;
    test_.idle_longest_gap_ns = sampler.longest_gap_ns();
    return true;
  }

  Result<void> take(LoadTrial& trial, const std::string& name, const std::string& file) {
    auto summary = runs_.run(name, file);
    if (!summary) return summary.errors();
    trial = trial_of(*summary);
    return {};
  }

  Result<void> try_parts(LoadTrial& trial, const std::string& name, double top,
                         std::string (*file_of)(double)) {
    for (const double part : kParts) {
      const std::string place = name + "-" + number(part * 100);
      if (auto done = take(trial, place, file_of(top * part)); !done) return done.errors();
      if (is_calm(trial)) break;
    }
    return {};
  }

  const CommandLine& line_;
  SelfTestRuns& runs_;
  SelfTest test_;
};

}  // namespace

int selftest_command(const CommandLine& line) {
  block_signals();
  auto runs = SelfTestRuns::make(line);
  if (!runs) return complain(runs.errors()), kRefused;
  auto test = SelfTestCommand(line, *runs).run();
  if (!test) return complain(test.errors()), runs->stopped_by() != 0 ? 128 + runs->stopped_by() : kNotReady;
  print(line.json ? selftest_json(*test) : selftest_text(*test));
  return kFinished;
}

}  // namespace tokometer

// Each fault of hostile.cpp is found by the one test that is about it, and by no other.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "check/check.hpp"
#include "check/sanitizer.hpp"

using namespace tokometer;
using namespace tokometer::check;

namespace {

const std::string kPlugins = TOKOMETER_BUILD_DIR "/tests/plugins/";

struct Fault {
  const char *name, *test;
};

// The ids of the tests that did not go well, each with a blank behind it.
std::string bad_tests(const std::string& file, const char* fault, CheckOptions options = {}) {
  setenv("HOSTILE_FAULT", fault, 1);
  options.path = file;
  options.trust = Trust::skip;
  const auto report = check_plugin(options);
  unsetenv("HOSTILE_FAULT");
  if (!report) return to_string(report.error());
  std::string ids;
  for (const TestResult& result : report->results) {
    if (is_bad(result.finding)) ids += result.id + " ";
  }
  return ids;
}

// Its runtime allocates and makes system calls itself.
bool is_hidden_by_sanitizer(std::string_view fault) {
  return fault.ends_with("leak") || fault.ends_with("system call");
}

template <size_t N>
void expect(const Fault (&faults)[N], const char* only) {
  for (const Fault& fault : faults) {
    CAPTURE(std::string(fault.name));
    if (kIsSanitized && is_hidden_by_sanitizer(fault.name)) continue;
    CHECK(bad_tests(kPlugins + "good/hostile.so", fault.name, {.path = {}, .only = only}) ==
          std::string(fault.test) + " ");
  }
}

}  // namespace

TEST_CASE("a good plugin passes all tests") {
  CHECK(bad_tests(kPlugins + "good/hostile.so", "") == "");
}

TEST_CASE("faults of a module") {
  constexpr Fault kFaults[] = {
      {"load: thread", "module.no-thread"},          {"load: file", "module.no-open-file"},
      {"load: output", "module.no-output"},          {"load: locale", "module.keeps-locale"},
      {"load: signal", "module.keeps-signals"},      {"load: umask", "module.keeps-surroundings"},
      {"load: rounding", "module.keeps-float-mode"}, {"module: two descriptors", "module.same-pointer"}};
  expect(kFaults, "^module|@talker");
  CHECK(bad_tests(kPlugins + "symbols/hostile.so", "", {.path = {}, .only = "^module[^@]*$"}) ==
        "module.one-symbol ");
}

TEST_CASE("faults in the making of a component") {
  constexpr Fault kFaults[] = {{"create: crash on no JSON", "module.wrong-options@talker"},
                               {"create: file", "module.traceless@talker"},
                               {"create: leak", "module.no-leak@talker"},
                               {"schema: example", "module.examples@talker"}};
  expect(kFaults, "^module.*@talker|^module[^@]*$");
}

TEST_CASE("faults of a processor's profile and requests") {
  constexpr Fault kFaults[] = {{"describe: no profile", "processor.profile@talker"},
                               {"describe: counter", "processor.same-profile@talker"},
                               {"describe: feature", "processor.features@talker"},
                               {"learn: crash", "processor.learn@talker"},
                               {"encode: refuses all", "processor.encodes@talker"},
                               {"encode: core's header", "processor.valid-requests@talker"},
                               {"encode: counter", "processor.repeatable@talker"},
                               {"encode: struct_size", "processor.newer-host@talker"},
                               {"encode: no escapes", "processor.hard-prompts@talker"},
                               {"encode: cut at NUL", "processor.prompt@talker"},
                               {"encode: drops exact length", "processor.exact-length@talker"},
                               {"encode: drops choices", "processor.choices@talker"},
                               {"encode: drops model", "processor.model@talker"},
                               {"encode: drops adapter", "processor.adapter@talker"},
                               {"encode: drops salt", "processor.cache-salt@talker"},
                               {"encode: drops media", "processor.media@talker"},
                               {"encode: drops extra", "processor.extra@talker"},
                               {"encode: system call", "processor.system-calls@talker"},
                               {"encode: leak", "processor.no-leak@talker"}};
  expect(kFaults, "@talker");
}

TEST_CASE("faults of a processor's streams") {
  constexpr Fault kFaults[] = {{"data: many pieces", "responses.byte-by-byte@talker"},
                               {"data: one split", "responses.split@talker"},
                               {"data: end of text", "responses.bytes-behind@talker"},
                               {"head: struct_size", "responses.newer-host@talker"},
                               {"close: stumbles", "responses.forgets@talker"},
                               {"data: shared", "responses.interleaved@talker"},
                               {"data: choice", "responses.rules@talker"},
                               {"end: two errors", "responses.error-pages@talker"},
                               {"data: no noise", "responses.noise@talker"},
                               {"end: refuses a rest", "responses.early-end@talker"},
                               {"close: leak", "responses.close@talker"},
                               {"data: system call", "responses.system-calls@talker"}};
  expect(kFaults, "@talker");
}

TEST_CASE("faults of a dataset") {
  constexpr Fault kFaults[] = {{"dataset: counter", "dataset.repeatable@lines"},
                               {"dataset: starts again", "dataset.end@lines"},
                               {"dataset: size", "dataset.size@lines"},
                               {"dataset: nothing said", "dataset.valid-samples@lines"},
                               {"dataset: not UTF-8", "dataset.valid-samples@lines"},
                               {"dataset: turns", "dataset.turns@lines"},
                               {"dataset: arrivals", "dataset.arrivals@lines"},
                               {"dataset: any file", "dataset.missing-file@lines"},
                               {"dataset: leak", "dataset.no-leak@lines"}};
  expect(kFaults, "@lines");
}

TEST_CASE("faults of a tokenizer") {
  constexpr Fault kFaults[] = {{"letters: refuses", "tokenizer.ids@letters"},
                               {"letters: no size", "tokenizer.ids@letters"},
                               {"letters: too large", "tokenizer.ids@letters"},
                               {"letters: counter", "tokenizer.repeatable@letters"},
                               {"letters: ids of nothing", "tokenizer.prompt@letters"},
                               {"letters: other prompt", "tokenizer.prompt@letters"},
                               {"letters: crash", "tokenizer.any-text@letters"},
                               {"letters: any mode", "tokenizer.modes@letters"},
                               {"letters: any file", "tokenizer.missing-file@letters"},
                               {"letters: leak", "tokenizer.no-leak@letters"}};
  expect(kFaults, "@letters");
}

TEST_CASE("faults of load patterns") {
  constexpr Fault kFaults[] = {
      {"ticks: fails", "pattern.answers@ticks"},      {"ticks: falls", "pattern.times@ticks"},
      {"ticks: counter", "pattern.repeatable@ticks"}, {"ticks: depends", "pattern.independent@ticks"},
      {"ticks: deadlock", "pattern.deadlock@ticks"},  {"ticks: goes on", "pattern.done@ticks"},
      {"ticks: shards", "pattern.shards@ticks"},      {"ticks: users", "pattern.users@ticks"},
      {"ticks: turns round", "pattern.calls@ticks"},  {"ticks: system call", "pattern.system-calls@ticks"},
      {"ticks: leak", "pattern.no-leak@ticks"},       {"people: shards", "pattern.shards@people"},
      {"people: too many", "pattern.users@people"},   {"people: early", "pattern.times@people"}};
  expect(kFaults, "@(ticks|people)");
}

TEST_CASE("a call that never returns is ended, a crash names its signal and call") {
  setenv("HOSTILE_FAULT", "learn: hang", 1);
  const CheckOptions options{.path = kPlugins + "good/hostile.so",
                             .only = "^processor.learn",
                             .trust = Trust::skip,
                             .time_limit_ns = 1'000'000'000};
  const auto hung = check_plugin(options);
  REQUIRE(hung);
  CHECK(hung->results.front().finding.sentence == "had not ended after 1s");
  setenv("HOSTILE_FAULT", "learn: crash", 1);
  const auto crashed = check_plugin({.path = options.path, .only = "learn", .trust = Trust::skip});
  unsetenv("HOSTILE_FAULT");
  REQUIRE(crashed);
  CHECK(crashed->results.front().finding.outcome == Outcome::crashed);
  CHECK(crashed->results.front().finding.sentence == "SIGSEGV in call learn");
  CHECK_FALSE(crashed->passed());
  CHECK(crashed->results.front().repeat.find("--only '^processor.learn@talker$' --in-process") !=
        std::string::npos);
}

TEST_CASE("a file that cannot be loaded gives the loader's own sentence") {
  const auto refused = [](const std::string& name) {
    const auto report = check_plugin({.path = kPlugins + name, .trust = Trust::skip});
    return report ? std::string("loaded") : report.error().message;
  };
  CHECK(refused("bad/undefined-symbol.so").find("undefined symbol: foo") != std::string::npos);
  CHECK(refused("bad/no-note.so") == "has no .note.tokometer: not a tokometer plugin");
  CHECK(refused("bad/none.so") == "no such file");
  const auto crashed = check_plugin({.path = kPlugins + "bad/crash-at-load.so", .trust = Trust::skip});
  REQUIRE(crashed);
  CHECK(crashed->results.size() == 1);
  CHECK(crashed->results.front().id == "module.loads");
  CHECK(crashed->results.front().finding.outcome == Outcome::crashed);
}

TEST_CASE("--only") {
  const auto only = [](const char* wanted) {
    return check_plugin({.path = kPlugins + "good/hostile.so", .only = wanted, .trust = Trust::skip});
  };
  CHECK(only("nothing").error().message.find("finds no test") != std::string::npos);
  CHECK(only("(").error().message.find("not a regular expression") != std::string::npos);
  CHECK(only("^module.license$")->results.size() == 1);
}

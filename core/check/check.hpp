// `tokometer plugin check`: the conformance tests of the plugin ABI, run on one file. Each test has a process
// of its own and a time limit, so a plugin may crash, hang or change the process. Call it from a process that
// has one thread and has not loaded the plugin. Needs no server and opens no socket.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "check/finding.hpp"
#include "plugin/library.hpp"

namespace tokometer::check {

struct CheckOptions {
  std::string path;           // of the .so
  std::string only = {};      // regular expression: tests whose id it finds; empty: all
  std::string fixtures = {};  // folder of the author's recordings; empty: none
  bool in_process = false;    // run the tests here, one after the other: for a debugger
  Trust trust = Trust::check;
  int64_t time_limit_ns = 120'000'000'000;  // for each test
};

struct TestResult {
  std::string id;        // "processor.profile@vllm"
  std::string sentence;  // what holds if it passes
  Finding finding;
  std::string repeat;  // the command that runs this test alone
};

struct CheckReport {
  std::string module, version, path;
  std::vector<TestResult> results;

  int count(Outcome outcome) const;
  bool passed() const;  // nothing failed or crashed
};

// Errors: the file cannot be loaded (the loader's own sentences), the fixtures or `only` cannot be read,
// `only` finds no test.
Result<CheckReport> check_plugin(const CheckOptions& options);

// A line for each test, two more for each that is not a pass, and the counts.
std::string render_check_text(const CheckReport& report);
// One JSON object; its form: docs/plugins.md.
std::string render_check_json(const CheckReport& report);

}  // namespace tokometer::check

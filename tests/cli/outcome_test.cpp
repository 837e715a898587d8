#include "cli/outcome.hpp"

#include <doctest/doctest.h>

#include <csignal>

#include "cli/input.hpp"

using namespace tokometer;

TEST_CASE("exit codes in their order: 6, 129-143, 5, 4, 0") {
  const struct {
    bool incomplete;
    int signal;
    Grade verdict;
    bool gate_failed, strict;
    int code;
  } rows[] = {
      {false, 0, Grade::valid, false, false, 0},         {false, 0, Grade::suspect, false, false, 0},
      {false, 0, Grade::suspect, false, true, 5},        {false, 0, Grade::valid, false, true, 0},
      {false, 0, Grade::invalid, false, false, 5},       {false, 0, Grade::valid, true, false, 4},
      {false, 0, Grade::invalid, true, false, 5},        {false, 0, Grade::suspect, true, true, 5},
      {false, SIGINT, Grade::invalid, true, false, 130}, {false, SIGTERM, Grade::valid, true, false, 143},
      {false, SIGHUP, Grade::suspect, false, true, 129}, {true, SIGINT, Grade::invalid, true, true, 6},
      {true, 0, Grade::valid, false, false, 6},
  };
  for (const auto& row : rows) {
    const Outcome outcome{row.incomplete, row.signal, row.verdict, row.gate_failed};
    CHECK(exit_code(outcome, row.strict) == row.code);
  }
}

TEST_CASE("what the records say about the end") {
  Summary summary;
  summary.end_reason = "finished";
  summary.verdict = Grade::suspect;
  CHECK(exit_code(outcome_of(summary), false) == kFinished);

  SUBCASE("a signal") {
    const struct {
      const char* reason;
      int code;
    } rows[] = {{"signal.INT", 130}, {"signal.TERM", 143}, {"signal.HUP", 129}, {"budget", 0}};
    for (const auto& row : rows) {
      summary.end_reason = row.reason;
      CHECK(exit_code(outcome_of(summary), false) == row.code);
    }
  }
  SUBCASE("a full disk") {
    summary.end_reason = "disk";
    CHECK(exit_code(outcome_of(summary), false) == kIncomplete);
  }
  SUBCASE("lost lines") {
    summary.records.missing = 1;
    CHECK(exit_code(outcome_of(summary), false) == kIncomplete);
  }
  SUBCASE("a torn tail alone is a crash, not damage") {
    summary.records.torn_tail = true;
    summary.end_reason = "crashed";
    summary.verdict = Grade::invalid;
    CHECK(exit_code(outcome_of(summary), false) == kInvalid);
  }
  SUBCASE("one false gate of two") {
    summary.phases.resize(2);
    summary.phases[1].gates.resize(2);
    summary.phases[1].gates[0].holds = true;
    CHECK(exit_code(outcome_of(summary), false) == kGateFailed);
    summary.phases[1].gates[1].holds = true;
    CHECK(exit_code(outcome_of(summary), false) == kFinished);
  }
}

#include "cli/signals.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace tokometer;
using Kind = StopLadder::Step::Kind;

TEST_CASE("INT three times: drain, cancel, leave") {
  StopLadder ladder;
  CHECK(ladder.first() == 0);

  const auto first = ladder.take(SIGINT, 12);
  CHECK(first.kind == Kind::drain);
  CHECK(first.order.reason == "signal.INT");
  CHECK_FALSE(first.order.cancel);
  CHECK_FALSE(first.order.drain_limit_ns.has_value());
  CHECK(first.sentence == "stopping: no new requests, waiting for 12 in flight; Ctrl-C again cancels them");

  const auto second = ladder.take(SIGINT, 12);
  CHECK(second.kind == Kind::cancel);
  CHECK(second.order.cancel);

  CHECK(ladder.take(SIGINT, 12).kind == Kind::leave);
  CHECK(ladder.first() == SIGINT);
  CHECK(ladder.count() == 3);
}

TEST_CASE("TERM and HUP drain with a deadline") {
  const struct {
    int signal;
    const char* reason;
  } rows[] = {{SIGTERM, "signal.TERM"}, {SIGHUP, "signal.HUP"}};
  for (const auto& row : rows) {
    StopLadder ladder;
    const auto step = ladder.take(row.signal, 3);
    CHECK(step.kind == Kind::drain);
    CHECK(step.order.reason == row.reason);
    CHECK(step.order.drain_limit_ns == 20'000'000'000);
  }
}

TEST_CASE("the first signal names the end, whichever comes then") {
  StopLadder ladder;
  ladder.take(SIGTERM, 0);
  const auto second = ladder.take(SIGINT, 0);
  CHECK(second.kind == Kind::cancel);
  CHECK(second.order.reason == "signal.TERM");
  CHECK(ladder.first() == SIGTERM);
}

TEST_CASE("QUIT stops nothing") {
  StopLadder ladder;
  CHECK(ladder.take(SIGQUIT, 5).kind == Kind::show_state);
  CHECK(ladder.first() == 0);
  CHECK(ladder.take(SIGINT, 5).kind == Kind::drain);
}

// Case files: what they say, and what is wrong with them.
#include "sim/script.hpp"

#include <doctest/doctest.h>

namespace tokometer::sim {
namespace {

using Kind = ScriptStep::Kind;

TEST_CASE("every kind of step") {
  const auto script = parse_script(
      "# a comment\n"
      "expect truncated\n"
      "play on accept\n"
      "send \"a\\r\\n\\x41\\0\\\"\\\\\"\n"
      "chunk \"hello\"\n"
      "event {\"x\":1}\n"
      "wait 50ms\n"
      "repeat 3 chunk \"x\"\n"
      "last\n"
      "  rst  \r\n"
      "fin\nhang\n",
      "f.case");
  REQUIRE(script);
  CHECK(script->on_accept);
  REQUIRE(script->steps.size() == 9);
  CHECK(script->steps[0].bytes == std::string("a\r\nA\0\"\\", 7));
  CHECK(script->steps[1].bytes == "5\r\nhello\r\n");
  CHECK(script->steps[2].bytes == "f\r\ndata: {\"x\":1}\n\n\r\n");
  CHECK(script->steps[3].kind == Kind::wait);
  CHECK(script->steps[3].wait_ns == 50'000'000);
  CHECK(script->steps[4].times == 3);
  CHECK(script->steps[5].bytes == "0\r\n\r\n");
  CHECK(script->steps[6].kind == Kind::rst);
  CHECK(script->steps[7].kind == Kind::fin);
  CHECK(script->steps[8].kind == Kind::hang);
}

TEST_CASE("faults have their line") {
  for (const char* line : {"sned \"x\"", "send x", "send \"\\q\"", "send \"\\x4\"", "wait 5", "repeat 0 last",
                           "repeat x last", "head ok text"}) {
    CAPTURE(line);
    const auto script = parse_script(std::string("last\n") + line + "\n", "f.case");
    REQUIRE_FALSE(script);
    CHECK(script.error().line == 2);
    CHECK(script.error().file == "f.case");
  }
}

TEST_CASE("a play repeats steps and ends") {
  const auto script = parse_script("repeat 2 chunk \"x\"\nlast\n", "f.case");
  REQUIRE(script);
  ScriptPlay play(*script);
  CHECK(play.next() == &script->steps[0]);
  CHECK(play.next() == &script->steps[0]);
  CHECK(play.next() == &script->steps[1]);
  CHECK(play.next() == nullptr);
  CHECK(play.next() == nullptr);
}

}  // namespace
}  // namespace tokometer::sim

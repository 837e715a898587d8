#include "cli/progress.hpp"

#include <doctest/doctest.h>

using namespace tokometer;

namespace {

constexpr int64_t kSecond = 1'000'000'000;

Progress example() {
  Progress p;
  p.phase = "steady";
  p.elapsed_ns = 30 * kSecond;
  p.duration_ns = 120 * kSecond;
  p.planned = 240, p.ok = 230, p.failed = 2, p.in_flight = 8;
  p.live = {
      .ok = 230, .failed = 2, .output_tokens = 19'200, .ttft_p50_ns = 58'400'000, .ttft_p99_ns = 140'000'000};
  return p;
}

}  // namespace

TEST_CASE("the panel of a running phase") {
  const auto lines = panel_lines(example(), {8.04, 640}, 120);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "steady [######..................] 30 s of 120 s, 90 s left");
  CHECK(lines[1] == "requests  offered 8.0/s  sent 8.0/s  on the wire 8  ok 230  failed 2");
  CHECK(lines[2] == "answers   TTFT p50 58 ms  p99 140 ms  640 tok/s");
}

TEST_CASE("workloads side by side have a line each") {
  CHECK(workload_lines(example(), {8, 640}).empty());
  RateWindow window;
  Progress p = example();
  p.workloads = {{"chat", 200, 0, 0, 8, 58'400'000}, {"summary", 30, 2, 1, 0, -1}};
  window.add(p);
  p.elapsed_ns += 4 * kSecond;
  p.workloads[0].ok += 32;
  const std::vector<std::string> lines = panel_lines(p, window.add(p), 120);
  REQUIRE(lines.size() == 5);
  CHECK(lines[3] == "  chat     sent 8.0/s  on the wire 8  ok 232  failed 0  TTFT p50 58 ms");
  CHECK(lines[4] == "  summary  sent 0.0/s  on the wire 0  ok 30  failed 2  cancelled 1  TTFT p50 n/a");
  p.workloads[0].name = "a\x1b[2J";
  CHECK(workload_lines(p, {})[0].starts_with("  a\\x1b[2J  sent 0.0/s"));
}

TEST_CASE("no line is wider than the terminal") {
  for (const std::string& line : panel_lines(example(), {8, 640}, 20)) CHECK(line.size() <= 20);
}

TEST_CASE("the plain line") {
  CHECK(progress_line(example(), {8.04, 640}) ==
        "steady 30 s of 120 s, 90 s left: 230 ok, 2 failed, 8 on the wire, 8.0 req/s, TTFT p50 58 ms  p99 "
        "140 ms, 640 tok/s");
}

TEST_CASE("states of a phase") {
  Progress p = example();
  SUBCASE("nothing has answered yet") {
    p.live = {};
    CHECK(progress_line(p, {}).find("TTFT p50 n/a  p99 n/a, 0.0 tok/s") != std::string::npos);
  }
  SUBCASE("cool-down: never more than the whole") {
    p.elapsed_ns = 130 * kSecond;
    CHECK(panel_lines(p, {}, 120)[0] == "steady [########################] 130 s, cooling down");
  }
  SUBCASE("drain") {
    p.draining = true;
    CHECK(progress_line(p, {}).starts_with("steady 30 s, draining: "));
  }
  SUBCASE("a phase by requests") {
    p.duration_ns.reset();
    p.requests = 464;
    CHECK(panel_lines(p, {}, 120)[0] == "steady [############............] 30 s, 464 requests");
  }
  SUBCASE("a phase until the dataset ends has no bar") {
    p.duration_ns.reset();
    CHECK(panel_lines(p, {}, 120)[0] == "steady 30 s");
  }
  SUBCASE("a name with control codes stays text") {
    p.phase = "a\x1b[2J";
    CHECK(panel_lines(p, {}, 120)[0].starts_with("a\\x1b[2J "));
  }
}

TEST_CASE("rates are those of the last five seconds") {
  RateWindow window;
  Progress p;
  p.phase = "a";
  CHECK(window.add(p).sent_per_s == 0);
  Rates rates;
  for (int second = 1; second <= 10; ++second) {
    p.elapsed_ns = second * kSecond;
    p.ok += second <= 5 ? 100 : 10;
    p.live.output_tokens += 50;
    rates = window.add(p);
  }
  CHECK(rates.sent_per_s == doctest::Approx(10));
  CHECK(rates.tokens_per_s == doctest::Approx(50));

  SUBCASE("another phase starts afresh") {
    p.phase = "b";
    p.ok = 0, p.elapsed_ns = 0;
    CHECK(window.add(p).sent_per_s == 0);
    p.ok = 20, p.elapsed_ns = kSecond;
    CHECK(window.add(p).sent_per_s == doctest::Approx(20));
  }
}

TEST_CASE("averages are those of the whole phase") {
  const Rates rates = average_rates(example());
  CHECK(rates.sent_per_s == doctest::Approx(8));
  CHECK(rates.tokens_per_s == doctest::Approx(640));
  CHECK(average_rates({}).sent_per_s == 0);
}

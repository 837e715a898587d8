#include "metrics/gate.hpp"

#include <doctest/doctest.h>

#include "run_dir.hpp"

using namespace tokometer;
using namespace tokometer::test;

TEST_CASE("gates that are understood") {
  struct Case {
    const char *text, *metric, *statistic;
    Gate::Relation relation;
    double limit;
  };
  const Case cases[] = {
      {"ttft.p99 < 500ms", "ttft_sched", "p99", Gate::Relation::less, 500e6},
      {"e2e.mean<=1.5s", "e2e_sched", "mean", Gate::Relation::at_most, 1.5e9},
      {"ttft_sent.p99.9 < 2s", "ttft_sent", "p99.9", Gate::Relation::less, 2e9},
      {"goodput_ratio >= 95%", "goodput_ratio", "", Gate::Relation::at_least, 0.95},
      {"goodput_ratio >= 0.95", "goodput_ratio", "", Gate::Relation::at_least, 0.95},
      {"output_tokens_per_s > 1000", "output_tokens_per_s", "", Gate::Relation::greater, 1000},
      {"whole.output_tokens_per_s > 1000", "whole.output_tokens_per_s", "", Gate::Relation::greater, 1000},
      {"  itl.p50   <   20ms ", "itl", "p50", Gate::Relation::less, 20e6},
      {"tpot.count > 10", "tpot", "count", Gate::Relation::greater, 10},
      {"user_tokens_per_s.p5 >= 30", "user_tokens_per_s", "p5", Gate::Relation::at_least, 30},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto gate = parse_gate(c.text);
    REQUIRE(gate);
    CHECK(gate->metric == c.metric);
    CHECK(gate->statistic == c.statistic);
    CHECK(gate->relation == c.relation);
    CHECK(gate->limit == doctest::Approx(c.limit));
  }
  CHECK(parse_gate("ttft.adjusted.p99 < 1s")->adjusted);
}

TEST_CASE("gates that are not, and what is said") {
  const std::pair<const char*, const char*> cases[] = {
      {"ttft.p99", R"(gate "ttft.p99": write it as "ttft.p99 < 500ms": a metric, one of < <= > >=, a limit)"},
      {"ttfft.p99 < 1s", R"(gate "ttfft.p99 < 1s": unknown metric "ttfft.p99"; did you mean "ttft"?)"},
      {"ttft.maen < 1s", R"(gate "ttft.maen < 1s": unknown statistic "maen"; did you mean "mean"?)"},
      {"ttft < 1s", R"(gate "ttft < 1s": "ttft" needs a statistic, as in "ttft.p99")"},
      {"ttft.p99 < 500", R"(gate "ttft.p99 < 500": the limit must be a duration such as 500ms (got "500"))"},
      {"goodput_ratio >= much",
       R"(gate "goodput_ratio >= much": the limit must be a ratio such as 95% or 0.95 (got "much"))"},
      {"completed_rate > 5ms",
       R"(gate "completed_rate > 5ms": the limit must be a plain number (got "5ms"))"},
      {"ttft.adjusted.mean < 1s",
       R"(gate "ttft.adjusted.mean < 1s": only percentiles exist as adjusted values)"},
      {"ttft.p99 == 1s", R"(gate "ttft.p99 == 1s": use one of < <= > >=)"},
      {"\x1b[31m", R"(gate "\x1b[31m": write it as "ttft.p99 < 500ms": a metric, one of < <= > >=, a limit)"},
  };
  for (const auto& [text, message] : cases) {
    const auto gate = parse_gate(text);
    REQUIRE_FALSE(gate);
    CHECK(gate.error().message == message);
  }
}

namespace {

Summary run_with(const std::vector<std::string>& gates, uint64_t n, uint64_t failures, uint64_t slow = 0,
                 bool mlperf = false) {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < n; ++i) {
    RequestRecord r =
        ok_record(pool, i, static_cast<int64_t>(i) * kMs, i < slow ? 900 * kMs : 50 * kMs, {10'000});
    if (i >= n - failures) r.status = Status::failed, r.cls = "status.503";
    records.push_back(std::move(r));
  }
  PhaseOptions options;
  options.duration_ns = 30 * kSecond;
  Manifest manifest = plain_manifest();
  manifest.gates = gates;
  manifest.mlperf = mlperf;
  const RunDir dir;
  return dir.summarize(manifest, lines_of(records, options));
}

}  // namespace

TEST_CASE("gates hold or fail") {
  const Summary s = run_with(
      {"ttft.p99 < 60ms", "ttft.p99 < 40ms", "error_ratio < 5%", "ttfa.p99 < 1s", "goodput_ratio > 0.5"}, 600,
      0);
  const auto& gates = s.phases[0].gates;
  REQUIRE(gates.size() == 5);
  CHECK(gates[0].holds);
  CHECK(*gates[0].value == 50 * kMs);
  CHECK_FALSE(gates[1].holds);
  CHECK(gates[2].holds);
  CHECK(gates[3].holds);
  CHECK_FALSE(gates[4].holds);  // no SLO: no goodput to compare
  CHECK_FALSE(gates[4].value);
}

TEST_CASE("a gate on too few requests makes the run INVALID (V3)") {
  const Summary s = run_with({"ttft.p99 < 60ms"}, 458, 0);
  CHECK(s.phases[0].gates[0].needs_n == 459);
  CHECK(find_check(s, "V3")->grade == Grade::invalid);
  CHECK(s.verdict == Grade::invalid);
  CHECK(find_check(run_with({"ttft.p99 < 60ms"}, 459, 0), "V3")->grade == Grade::valid);
  CHECK(find_check(run_with({"ttft.p50 < 60ms"}, 458, 0), "V3")->grade == Grade::valid);
}

TEST_CASE("an adjusted gate counts failures as infinitely slow") {
  const Summary s =
      run_with({"ttft.adjusted.p99 < 60ms", "ttft.adjusted.p95 < 60ms", "ttft.p99 < 60ms"}, 1000, 20);
  CHECK_FALSE(s.phases[0].gates[0].holds);
  CHECK(s.phases[0].gates[1].holds);
  CHECK(s.phases[0].gates[2].holds);
}

TEST_CASE("mlperf: a percentile gate must hold with 99 % certainty") {
  CHECK(run_with({"ttft.p99 < 60ms"}, 1000, 0, 5).phases[0].gates[0].holds);
  CHECK_FALSE(run_with({"ttft.p99 < 60ms"}, 1000, 0, 5, true).phases[0].gates[0].holds);  // 5 over need 1,307
  CHECK(run_with({"ttft.p99 < 60ms"}, 1307, 0, 5, true).phases[0].gates[0].holds);
  CHECK(find_check(run_with({"ttft.p99 < 60ms"}, 1307, 0, 5, true), "V3")->grade ==
        Grade::invalid);  // 30 s, not 600
}

#include "cli/selftest_result.hpp"

#include <doctest/doctest.h>

#include <tokometer/json.hpp>

using namespace tokometer;

namespace {

Check doubt(const char* id, Grade grade) {
  Check check;
  check.id = id, check.name = "host", check.grade = grade, check.measured = "lost 12 %", check.relation = ">",
  check.limit = "10 %";
  return check;
}

SelfTest calm_host() {
  SelfTest test;
  test.host.cores = 2;
  test.idle_s = 2, test.idle_lost_share = 0.004, test.idle_longest_gap_ns = 2'300'000;
  test.top_requests.requests_per_s = 21'613.4, test.top_requests.busiest_thread = 0.97;
  test.top_events.events_per_s = 99'009, test.top_events.busiest_thread = 0.4;
  test.requests.requests_per_s = 10'806, test.requests.client_lag_p99_ns = 120'000;
  test.streams.streams = 1998.7, test.streams.events_per_s = 49'700, test.streams.client_lag_p99_ns = 310'000;
  test.requests.kernel_stamp_share = test.streams.kernel_stamp_share = 1;
  return test;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a calm host is trusted up to the rates at which the client had no doubts, rounded down") {
  const SelfTest test = calm_host();
  const Trust trust = trust_of(test);
  CHECK(trust.requests_per_s == 10'000);
  CHECK(trust.events_per_s == 49'000);
  CHECK(trust.streams == 1'900);
  CHECK(trust.gap_ns == 310'000);
  CHECK(sentence_of(test) ==
        "up to about 10,000 requests/s, or 1,900 streams with together 49,000 events/s; gaps below 0.31 ms "
        "cannot be told apart");
  const std::string text = selftest_text(test);
  CHECK(has(text, "Most requests  21,613 requests/s; the client was the limit: busiest I/O thread 97 %\n"));
  CHECK(has(text, "Most events    99,009 events/s at least; the simulator or the host was the limit"));
  CHECK(has(text, "Stamps         kernel\n"));
}

TEST_CASE("a load that left doubts is named, with them, and trusts nothing of it") {
  SelfTest test = calm_host();
  SUBCASE("one of the two") {
    test.requests.doubts = {doubt("V9", Grade::suspect)};
    CHECK(trust_of(test).requests_per_s == 0);
    CHECK(trust_of(test).events_per_s == 49'000);
    CHECK(has(sentence_of(test),
              "up to about 1,900 streams with together 49,000 events/s; not 10,000 requests/s"));
    CHECK(has(selftest_text(test), "SUSPECT V9 host lost 12 % > 10 %\n"));
  }
  SUBCASE("both") {
    test.requests.doubts = test.streams.doubts = {doubt("V9", Grade::invalid)};
    CHECK(trust_of(test).streams == 0);
    CHECK_FALSE(has(sentence_of(test), "up to"));
    CHECK(has(sentence_of(test), "not 10,000 requests/s, or 1,900 streams"));
  }
}

TEST_CASE("without kernel stamps the text says what that means") {
  SelfTest test = calm_host();
  test.streams.kernel_stamp_share = 0;
  CHECK(has(selftest_text(test), "Stamps         user: the kernel gives none here"));
}

TEST_CASE("figures of a trial come from the summary of its run") {
  Summary summary;
  CHECK(trial_of(summary).requests_per_s == 0);  // nothing was measured
  PhaseSummary& phase = summary.phases.emplace_back();
  phase.scalars = {{"completed_rate", "1/s", "", 100.5, {}},
                   {"output_tokens_per_s", "1/s", "", 900.0, {}},
                   {"lost_tokens_per_s", "1/s", "", 30.0, {}},
                   {"concurrency_wire", "count", "", 63.5, {}}};
  Distribution lag;
  lag.id = "own_lag", lag.count = 1, lag.percentiles[*percentile_index("p99")] = 250'000;
  phase.metrics = {lag};
  phase.busiest_thread = 0.5, phase.cpu_ns = 3'000, phase.ticked_ns = 4'000;
  summary.checks = {doubt("V3", Grade::suspect), doubt("V4", Grade::valid), doubt("V7", Grade::invalid)};
  const LoadTrial trial = trial_of(summary);
  CHECK(trial.requests_per_s == 100.5);
  CHECK(trial.events_per_s == 930);
  CHECK(trial.streams == 63.5);
  CHECK(trial.cores_used == 0.75);
  CHECK(trial.send_lateness_p99_ns == 250'000);
  CHECK(trial.client_lag_p99_ns == 0);
  REQUIRE(trial.doubts.size() == 1);  // V3: a trial is short on purpose
  CHECK(trial.doubts[0].id == "V7");
}

TEST_CASE("JSON holds all figures") {
  tkm::JsonDocument json;
  REQUIRE(tkm::parse_json(selftest_json(calm_host()), json));
  for (const char* key : {"top_requests", "top_events", "open_loop", "streams"}) {
    REQUIRE(tkm::find(json, key) != nullptr);
    CHECK(tkm::find(*tkm::find(json, key), "client_lag_p99_ns") != nullptr);
  }
  CHECK(tkm::get_int(*tkm::find(json, "trust"), "gap_ns") == 310'000);
  CHECK(tkm::get_number(*tkm::find(json, "idle"), "lost_share") == 0.004);
}

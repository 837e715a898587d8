#include "metrics/manifest.hpp"

#include <doctest/doctest.h>

#include "run_dir.hpp"

using namespace tokometer;

TEST_CASE("a manifest comes back as it was written") {
  Manifest m = test::plain_manifest();
  m.build_id = "b1", m.tags = {{"gpu", "H100"}, {"tp", "1"}}, m.seed = UINT64_MAX, m.plan_hash = "abc";
  m.run_file_json = R"({"version":1,"target":{"url":"http://h"}})";
  m.plugins.push_back({"processor", "vllm", "vllm", "0.1.0", "/p/vllm.so", "ff", "id", 1, 0});
  m.data_files.push_back({"/d/a.json", "ee", 12});
  m.host = {"h", "6.1", "cpu", "Debian 12", 2, 1 << 30, 1, true, false};
  m.start_utc = "2026-11-22T04:36:01Z", m.start_monotonic_ns = 5, m.clock_offset_ns = -7;
  m.target.endpoints = {"127.0.0.1:8000"}, m.target.simulated = true, m.target.tls_verify = false;
  m.preflight = {1, 10, 20, R"({"version":{"v":"0.28"}})", {{"m", "m-real"}}};
  m.slo = {1, 2, std::nullopt, 4}, m.gates = {"ttft.p99 < 500ms"}, m.mlperf = true, m.error_budget = 0.05;
  m.shard = 1, m.shard_count = 3;
  m.workloads[0].sessions = true;
  const std::string text = manifest_json(m);
  const auto again = parse_manifest(text, "manifest.json");
  REQUIRE(again);
  CHECK(manifest_json(*again) == text);
  CHECK(again->seed == UINT64_MAX);
  CHECK_FALSE(again->slo.e2e_ns);
}

TEST_CASE("each of several workloads has an SLO and gates of its own") {
  Manifest m = test::plain_manifest();
  m.slo = {1, std::nullopt, std::nullopt, std::nullopt}, m.gates = {"ok >= 1"};
  CHECK(m.slo_of("default").ttft_ns == 1);
  m.workloads.push_back(m.workloads[0]);
  m.workloads[1].name = "batch";
  m.workloads[1].goals = {{std::nullopt, 2, std::nullopt, std::nullopt}, {}};
  const std::string text = manifest_json(m);
  const auto again = parse_manifest(text, "manifest.json");
  REQUIRE(again);
  CHECK(manifest_json(*again) == text);
  CHECK(again->slo_of("batch").tpot_ns == 2);
  CHECK_FALSE(again->slo_of("batch").ttft_ns);
  CHECK(again->gates_of("batch").empty());
  CHECK(again->gates_of("default") == m.gates);
  CHECK(again->has_gates());
}

TEST_CASE("a manifest that is none") {
  CHECK(to_string(parse_manifest("[]", "m.json").error()).find("m.json: not a manifest") == 0);
  CHECK(to_string(parse_manifest("{\"run", "m.json").error()).find("m.json: not a manifest") == 0);
  CHECK(parse_manifest("{}", "m.json").error().message.find("schema_version must be 1 (got none)") == 0);
}

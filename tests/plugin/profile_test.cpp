#include "plugin/profile.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace tokometer {
namespace {

TEST_CASE("the profile of the design's example") {
  const auto profile = parse_profile(
      R"({"profile": 1, "features": ["proto.http", "reply.stream"], "ports": {"http": 8000}, "ready": [{"get": "/health"}],
          "models": {"get": "/v1/models", "names": "/data/*/id", "context": "/data/*/max_model_len"},
          "reset_cache": [{"post": "/reset_prefix_cache", "when": "idle"}],
          "telemetry": [{"get": "/metrics", "quantities": {"queue_size": [{"metric": "vllm:num_requests_waiting"}],
            "kv_usage": [{"metric": "vllm:kv_cache_usage_perc", "fold": "mean"},
                         {"metric": "vllm:gpu_cache_usage_perc", "fold": "mean"}]}}]})");
  REQUIRE(profile.ok());
  CHECK(profile->warnings.empty());
  CHECK(profile->has_feature("reply.stream"));
  CHECK(!profile->has_feature("reply"));
  CHECK(profile->ports.at("http") == 8000);
  REQUIRE(profile->ready.size() == 1);
  CHECK(profile->ready[0].method == "GET");
  CHECK(profile->ready[0].path == "/health");
  CHECK(profile->ready[0].id == "/health");
  CHECK(profile->models->names == "/data/*/id");
  CHECK(profile->models->probe.path == "/v1/models");
  CHECK(profile->reset_cache[0].when_idle);
  CHECK(profile->reset_cache[0].method == "POST");
  CHECK(profile->load_adapter.empty());
  CHECK(!profile->tokenize.has_value());
  REQUIRE(profile->telemetry[0].quantities.size() == 2);
  CHECK(profile->telemetry[0].quantities[1].candidates[1].metric == "vllm:gpu_cache_usage_perc");
  CHECK(profile->telemetry[0].quantities[1].candidates[1].fold == Fold::mean);
  CHECK(profile->telemetry[0].quantities[0].candidates[0].fold == Fold::sum);
  CHECK(profile->auth.header == "authorization");
  CHECK(profile->auth.prefix == "Bearer ");
}

TEST_CASE("models that a processor has learned by itself are not asked for") {
  const auto profile = parse_profile(R"({"profile": 1, "models": {"listed": ["a", "b"]}})");
  REQUIRE(profile.ok());
  CHECK(profile->warnings.empty());
  CHECK(profile->models->is_told());
  CHECK(profile->models->listed == std::vector<std::string>{"a", "b"});
}

TEST_CASE("everything that a probe can say") {
  const auto profile = parse_profile(
      R"({"profile": 1, "discover": [{"id": "meta", "post": "/meta", "json": {"m": "${model}", "n": [1, 2.5]}, "headers":
          {"x-a": "1"}, "port": "metrics", "status": [200, 404], "optional": true, "timeout": 1.5, "expect": {"/a": "b"}},
          {"grpc": "/s/M", "body_base64": "CAE=", "status": 5, "timeout": "2m", "expect_base64": "Zg=="}],
          "tokenize": {"post": "/tokenize", "json": {"prompt": "${text}"}, "ids": "/tokens"},
          "auth": {"header": "x-api-key"},
          "request_metrics": {"queue_ms": {"unit": "ms", "help": "time in queue", "better": "lower"}, "id": {}}})");
  REQUIRE(profile.ok());
  const Probe& http = profile->discover[0];
  CHECK(http.id == "meta");
  CHECK(http.body == R"({"m":"${model}","n":[1,2.5]})");
  CHECK(http.body_is_json);
  CHECK(http.headers[0].second == "1");
  CHECK(http.port == "metrics");
  CHECK(http.statuses == std::vector<int>{200, 404});
  CHECK(http.optional);
  CHECK(http.timeout_ns == 1'500'000'000);
  CHECK(http.expect[0].first == "/a");
  CHECK(http.expect[0].second == "\"b\"");
  const Probe& grpc = profile->discover[1];
  CHECK(grpc.grpc);
  CHECK(grpc.method.empty());
  CHECK(grpc.body == "\x08\x01");
  CHECK(!grpc.body_is_json);
  CHECK(grpc.statuses == std::vector<int>{5});
  CHECK(grpc.timeout_ns == 120'000'000'000);
  CHECK(grpc.expect_bytes == "f");
  CHECK(profile->tokenize->ids == "/tokens");
  CHECK(profile->auth.header == "x-api-key");
  CHECK(profile->auth.prefix.empty());
  CHECK(profile->request_metrics.at("queue_ms").better == RequestMetric::Better::lower);
  CHECK(profile->request_metrics.at("id").better == RequestMetric::Better::neither);
}

TEST_CASE("telemetry: labels, scale, ratio and quantities of one's own") {
  const auto profile = parse_profile(
      R"({"profile": 1, "telemetry": [{"get": "/metrics", "port": "metrics", "quantities": {
          "ttft": [{"metric": "t", "labels": {"model": "m"}, "scale": 0.001, "divide_by": "n", "fold": "max"}],
          "x.power": {"unit": "W", "candidates": [{"metric": "p"}]}}}]})");
  REQUIRE(profile.ok());
  const auto& page = profile->telemetry[0];
  CHECK(page.port == "metrics");
  const Candidate& candidate = page.quantities[0].candidates[0];
  CHECK(candidate.labels[0] == std::pair<std::string, std::string>("model", "m"));
  CHECK(candidate.scale == 0.001);
  CHECK(candidate.divide_by == "n");
  CHECK(candidate.fold == Fold::max);
  CHECK(page.quantities[1].unit == "W");
  CHECK(page.quantities[1].candidates[0].metric == "p");
}

TEST_CASE("unknown keys are skipped with a warning each") {
  const auto profile = parse_profile(
      R"({"profile": 1, "future": {}, "ready": [{"get": "/h", "retries": 2}], "ports": {"admin": 1},
          "telemetry": [{"get": "/m", "quantities": {"entropy": [{"metric": "e"}]}}], "auth": {"kind": 1}})");
  REQUIRE(profile.ok());
  std::string warnings;
  for (const std::string& each : profile->warnings) warnings += each + "\n";
  CHECK(warnings ==
        "profile: ports.admin: unknown key, skipped\n"
        "profile: ready[0].retries: unknown key, skipped\n"
        "profile: telemetry[0].quantities.entropy: unknown quantity, skipped\n"
        "profile: auth.kind: unknown key, skipped\n"
        "profile: future: unknown key, skipped\n");
  CHECK(profile->telemetry[0].quantities.empty());
}

TEST_CASE("faults are named with their place and value") {
  struct Case {
    std::string json, sentence;
  };
  const Case cases[] = {
      {"", "profile: not valid JSON (byte 0)"},
      {"[]", "profile: must be a JSON object"},
      {"{}", "profile: profile: is missing; must be 1"},
      {R"({"profile": 2})", "profile: profile: must be a whole number from 1 to 1 (got 2)"},
      {R"({"profile": 1, "features": "all"})", R"(profile: features: must be a list (got "all"))"},
      {R"({"profile": 1, "features": [1]})", "profile: features[0]: must be a string (got 1)"},
      {R"({"profile": 1, "ports": {"http": 65536}})",
       "profile: ports.http: must be a whole number from 1 to 65535 (got 65536)"},
      {R"({"profile": 1, "ready": [{"get": 5}]})",
       "profile: ready[0].get: must be a path that begins with \"/\" (got 5)"},
      {R"({"profile": 1, "ready": [{"get": "/a b"}]})",
       "profile: ready[0].get: must be a path that begins with \"/\" (got \"/a b\")"},
      {R"({"profile": 1, "ready": [{}]})", "profile: ready[0].get: give one of \"get\", \"post\", \"grpc\""},
      {R"({"profile": 1, "ready": [{"get": "/a", "post": "/b"}]})",
       "profile: ready[0].get: give one of \"get\", \"post\", \"grpc\""},
      {R"({"profile": 1, "ready": ["/health"]})", "profile: ready[0]: must be an object (got \"/health\")"},
      {R"({"profile": 1, "ready": [{"get": "/a"}, {"get": "/a"}]})",
       "profile: ready[1].id: \"/a\" is given twice"},
      {R"({"profile": 1, "ready": [{"get": "/a", "status": "ok"}]})",
       "profile: ready[0].status: must be a status code (got \"ok\")"},
      {R"({"profile": 1, "ready": [{"get": "/a", "timeout": "soon"}]})",
       "profile: ready[0].timeout: must be a duration such as 5 (seconds) or \"5s\" (got \"soon\")"},
      {R"({"profile": 1, "ready": [{"get": "/a", "timeout": -1}]})",
       "profile: ready[0].timeout: must be a duration such as 5 (seconds) or \"5s\" (got -1)"},
      {R"({"profile": 1, "ready": [{"get": "/a", "when": "busy"}]})",
       "profile: ready[0].when: must be \"idle\" (got \"busy\")"},
      {R"({"profile": 1, "ready": [{"get": "/a", "port": "http2"}]})",
       "profile: ready[0].port: must be \"http\", \"grpc\" or \"metrics\""},
      {R"({"profile": 1, "ready": [{"get": "/a", "expect": {"a": 1}}]})",
       "profile: ready[0].expect.a: must be a JSON pointer that begins with \"/\""},
      {R"({"profile": 1, "ready": [{"post": "/a", "body_base64": "***"}]})",
       "profile: ready[0].body_base64: must be base64"},
      {R"({"profile": 1, "ready": [{"post": "/a", "json": 1, "body_base64": "Zg=="}]})",
       "profile: ready[0].json: give one of \"json\", \"body_base64\""},
      {R"({"profile": 1, "models": {"listed": "a"}})", "profile: models.listed: must be a list (got \"a\")"},
      {R"({"profile": 1, "models": {"get": "/v1/models"}})", "profile: models.names: is missing"},
      {R"({"profile": 1, "tokenize": {"post": "/t", "ids": "tokens"}})",
       "profile: tokenize.ids: must be a JSON pointer that begins with \"/\""},
      {R"({"profile": 1, "telemetry": [{"quantities": {}}]})",
       "profile: telemetry[0].get: must be a path that begins with \"/\""},
      {R"({"profile": 1, "telemetry": [{"get": "/m", "quantities": {"ttft": [{}]}}]})",
       "profile: telemetry[0].quantities.ttft.candidates[0].metric: is missing"},
      {R"({"profile": 1, "telemetry": [{"get": "/m", "quantities": {"x.a": [{"metric": "m"}]}}]})",
       "profile: telemetry[0].quantities.x.a: needs a unit: {\"unit\": ..., \"candidates\": [...]}"},
      {R"({"profile": 1, "telemetry": [{"get": "/m", "quantities": {"ttft": [{"metric": "m", "fold": "min"}]}}]})",
       "profile: telemetry[0].quantities.ttft.candidates[0].fold: must be \"sum\", \"max\" or \"mean\""},
      {R"({"profile": 1, "request_metrics": {"a": {"better": "more"}}})",
       "profile: request_metrics.a.better: must be \"lower\", \"higher\" or \"neither\""},
  };
  for (const Case& each : cases) {
    CAPTURE(each.json);
    const auto profile = parse_profile(each.json);
    REQUIRE(!profile.ok());
    CHECK(profile.errors().size() == 1);
    CHECK(profile.error().message == each.sentence);
  }
}

TEST_CASE("all faults come at once") {
  const auto profile = parse_profile(R"({"profile": 1, "features": 1, "ready": 2, "auth": 3})");
  REQUIRE(!profile.ok());
  CHECK(profile.errors().size() == 3);
}

}  // namespace
}  // namespace tokometer

// The profile's schema takes the profiles that it should, and refuses each kind of mistake.
#include <doctest/doctest.h>
#include <tokometer/json.hpp>

#include <fstream>
#include <iterator>
#include <string>
#include <valijson/adapters/rapidjson_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace {

using Adapter = valijson::adapters::RapidJsonAdapter;

bool fits(const std::string& profile) {
  std::ifstream file(TOKOMETER_SOURCE_DIR "/sdk/profile/v1.schema.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  tkm::JsonDocument schema_json, profile_json;
  REQUIRE(tkm::parse_json(text, schema_json));
  REQUIRE_MESSAGE(tkm::parse_json(profile, profile_json), profile);
  valijson::Schema schema;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(schema_json), schema);
  return valijson::Validator().validate(schema, Adapter(profile_json), nullptr);
}

// A smallest profile with more members.
std::string with(const std::string& members) {
  return R"({"profile":1,"features":["proto.http"],)" + members + "}";
}

}  // namespace

TEST_CASE("profile schema: a whole profile fits") {
  CHECK(fits(
      R"({"profile": 1, "features": ["proto.http", "reply.stream"], "ports": {"http": 8000}, "ready": [{"get": "/health"}],
    "models": {"get": "/v1/models", "names": "/data/*/id", "context": "/data/*/max_model_len"},
    "reset_cache": [{"post": "/reset_prefix_cache", "when": "idle"}], "auth": {"header": "x-api-key", "prefix": ""},
    "discover": [{"id": "cfg", "grpc": "/a.B/C", "body_base64": "CgA=", "status": [0, 5], "timeout": 2.5, "optional": true}],
    "tokenize": {"post": "/tokenize", "json": {"prompt": "${text}"}, "ids": "/tokens"},
    "request_metrics": {"queue_time": {"unit": "s", "help": "in the queue", "better": "lower"}},
    "telemetry": [{"get": "/metrics", "port": "metrics", "quantities": {
      "queue_size": [{"metric": "vllm:num_requests_waiting"}],
      "kv_usage": [{"metric": "a", "fold": "mean", "labels": {"gpu": "0"}, "scale": 0.01}, {"metric": "b"}],
      "x.swapped": {"unit": "blocks", "candidates": [{"metric": "c"}]}}}]})"));
  CHECK(fits(R"({"profile":1,"features":[],"an_unknown_key":{}})"));
}

TEST_CASE("profile schema: each kind of mistake is refused") {
  for (const std::string& profile : {
           std::string(R"({"features":[]})"),
           std::string(R"({"profile":2,"features":[]})"),
           std::string(R"({"profile":1})"),
           with(R"("ports":{"http":70000})"),
           with(R"("ready":[{}])"),
           with(R"("ready":[{"get":"/a","post":"/b"}])"),
           with(R"("ready":[{"get":"health"}])"),
           with(R"("ready":[{"get":"/a","timeout":0}])"),
           with(R"("ready":[{"get":"/a","when":"busy"}])"),
           with(R"("ready":[{"post":"/a","json":1,"body_base64":"AA=="}])"),
           with(R"("models":{"get":"/v1/models"})"),
           with(R"("models":{"names":"/data"})"),
           with(R"("models":{"get":"/v1/models","names":"data"})"),
           with(R"("tokenize":{"post":"/tokenize"})"),
           with(R"("telemetry":[{"get":"/metrics"}])"),
           with(R"("telemetry":[{"get":"/metrics","quantities":{"queue":[{"metric":"a"}]}}])"),
           with(R"("telemetry":[{"get":"/metrics","quantities":{"ttft":[]}}])"),
           with(R"("telemetry":[{"get":"/metrics","quantities":{"ttft":[{"fold":"sum"}]}}])"),
           with(R"("telemetry":[{"get":"/metrics","quantities":{"ttft":[{"metric":"a","fold":"min"}]}}])"),
           with(R"("telemetry":[{"get":"/metrics","quantities":{"x.mine":[{"metric":"a"}]}}])"),
           with(R"("request_metrics":{"a":{"better":"more"}})"),
       }) {
    CHECK_MESSAGE(!fits(profile), profile);
  }
}

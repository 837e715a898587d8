// The schema of run files as others read it: with a validator of JSON Schema, draft 7, and nothing of ours.
#include <doctest/doctest.h>
#include <tokometer/json.hpp>

#include <string>
#include <valijson/adapters/rapidjson_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/file.hpp"
#include "config/run_file.hpp"
#include "config/schema.hpp"
#include "config/yaml.hpp"

namespace tokometer {
namespace {

using Adapter = valijson::adapters::RapidJsonAdapter;

bool fits(const std::string& run_file_json) {
  tkm::JsonDocument schema_json, file;
  REQUIRE(tkm::parse_json(run_schema(), schema_json));
  REQUIRE_MESSAGE(tkm::parse_json(run_file_json, file), run_file_json);
  valijson::Schema schema;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(schema_json), schema);
  return valijson::Validator().validate(schema, Adapter(file), nullptr);
}

}  // namespace

TEST_CASE("published schema: what workloads bring need not stand in the file's own sections") {
  const std::string head = R"({"version":1,"target":{"sim":{}},"load":"synchronous")";
  CHECK(fits(head + R"(,"processor":"openai","dataset":"synthetic"})"));
  CHECK_FALSE(fits(head + R"(,"processor":"openai"})"));
  CHECK_FALSE(fits(head + R"(,"dataset":"synthetic"})"));
  const std::string workloads =
      R"(,"workloads":[{"name":"a","processor":"vllm","dataset":"synthetic","model":{"mix":[{"name":"m"}]}}])";
  CHECK(fits(head + workloads + "}"));
  CHECK_FALSE(fits(R"({"version":1)" + workloads + "}"));
  CHECK_FALSE(fits(head + R"(,"workloads":[{"processor":"vllm"}]})"));
}

TEST_CASE("published schema: the example with workloads fits") {
  const std::string path = TOKOMETER_SOURCE_DIR "/examples/workloads.yaml";
  const auto text = read_file(path, 1 << 20);
  REQUIRE(text);
  const auto document = parse_yaml(*text, path);
  REQUIRE(document);
  const auto schema = Schema::parse(run_schema());
  REQUIRE(schema);
  CHECK(fits(schema->check(document->root).resolved_json));
}

}  // namespace tokometer

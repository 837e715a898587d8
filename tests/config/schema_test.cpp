#include "config/schema.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <tokometer/json.hpp>

#include "config/run_file.hpp"

namespace tokometer {
namespace {

Checked check(const std::string& schema, const std::string& yaml, const std::string& file = "f") {
  const auto parsed = Schema::parse(schema);
  REQUIRE(parsed.ok());
  const auto document = parse_yaml(yaml, file);
  REQUIRE(document.ok());
  return parsed->check(document->root);
}

std::string property(const std::string& schema) {
  return R"({"type": "object", "properties": {"a": )" + schema + "}}";
}

}  // namespace

TEST_CASE("canonical values: seconds, bytes, defaults; resolved ones keep their units") {
  struct Row {
    std::string schema, yaml, canonical, resolved;
  };
  const std::vector<Row> rows{
      {R"({"type": "string", "format": "duration"})", "a: 200ms", R"({"a":0.2})", R"({"a":"200ms"})"},
      {R"({"type": "string", "format": "duration", "default": "1.5s"})", "{}", R"({"a":1.5})",
       R"({"a":"1.5s"})"},
      {R"({"type": "number", "format": "duration", "default": 2})", "{}", R"({"a":2})", R"({"a":"2s"})"},
      {R"({"type": "string", "format": "bytes"})", "a: 64KiB", R"({"a":65536})", R"({"a":"64KiB"})"},
      {R"({"type": "string", "format": "bytes", "default": "1024B"})", "{}", R"({"a":1024})",
       R"({"a":"1KiB"})"},
      {R"({"type": "integer", "default": 3})", "{}", R"({"a":3})", R"({"a":3})"},
      {R"({"type": "array", "items": {"type": "string", "format": "duration"}})", "a: [1s, 2ms]",
       R"({"a":[1,0.002]})", R"({"a":["1s","2ms"]})"},
      {R"({"type": "array", "default": ["x", 1]})", "{}", R"({"a":["x",1]})", R"({"a":["x",1]})"},
      {R"({"type": ["string", "object"], "format": "duration", "properties": {"m": {"type": "string", "format": "duration"}}})",
       "a: {m: 1s}", R"({"a":{"m":1}})", R"({"a":{"m":"1s"}})"},
      {R"({"type": "object"})", "a: {free: [1, {x: y}]}", R"({"a":{"free":[1,{"x":"y"}]}})",
       R"({"a":{"free":[1,{"x":"y"}]}})"},
      {R"({"type": "object", "properties": {"b": {"type": "integer", "default": 1}}, "default": {}})", "{}",
       R"({"a":{"b":1}})", R"({"a":{"b":1}})"},
      {R"({"type": "object", "properties": {"b": {"type": "integer", "default": 1}}})", "{}", "{}", "{}"},
      {R"({"type": ["string", "boolean"], "format": "duration", "exclusiveMinimum": 0})", "a: off",
       R"({"a":0})", R"({"a":"off"})"},
      {R"({"type": ["string", "boolean"], "format": "duration", "exclusiveMinimum": 0})", "a: false",
       R"({"a":0})", R"({"a":"off"})"},
      {R"({"format": "ratio"})", "a: 2.5%", R"({"a":0.025})", R"({"a":0.025})"},
      {R"({"type": ["string", "number"], "format": "label"})", "a: 1.10", R"({"a":"1.10"})",
       R"({"a":"1.10"})"},
      {R"({"format": "auto", "minimum": 1})", "a: auto", R"({"a":0})", R"({"a":"auto"})"},
      {R"({"type": "string"})", "a: a$b", R"({"a":"a$b"})", R"({"a":"a$$b"})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.schema);
    CAPTURE(row.yaml);
    const Checked checked = check(property(row.schema), row.yaml);
    CHECK(checked.faults.empty());
    CHECK(checked.canonical_json == row.canonical);
    CHECK(checked.resolved_json == row.resolved);
  }
}

TEST_CASE("relative paths start at the folder of the file that names them") {
  const std::string schema = property(R"({"type": "string", "format": "path"})");
  CHECK(check(schema, "a: x/../y.txt", "/data/run.yaml").canonical_json == R"({"a":"/data/y.txt"})");
  CHECK(check(schema, "a: /abs/y.txt", "/data/run.yaml").canonical_json == R"({"a":"/abs/y.txt"})");
  const std::string here = std::filesystem::current_path().string();
  CHECK(check(schema, "a: y.txt", "run.yaml").canonical_json == "{\"a\":\"" + here + "/y.txt\"}");
}

TEST_CASE("secrets are collected, masked and warned about") {
  const std::string schema = property(R"({"type": "string", "format": "secret", "writeOnly": true})");
  const Checked clear = check(schema, "a: hunter2x");
  CHECK(clear.canonical_json == R"({"a":"hunter2x"})");
  CHECK(clear.resolved_json == R"({"a":"***"})");
  REQUIRE(clear.secrets.size() == 1);
  CHECK(clear.secrets[0].reveal() == "hunter2x");
  REQUIRE(clear.warnings.size() == 1);
  CHECK(to_string(clear.warnings[0]) ==
        "f:1:4: a: a secret in clear text; use ${NAME} or {file: PATH} instead");

  const auto path = std::filesystem::temp_directory_path() / "tokometer-secret.txt";
  std::ofstream(path) << "from-file\n";
  const Checked file = check(schema, "a: {file: " + path.string() + "}");
  CHECK(file.canonical_json == R"({"a":"from-file"})");
  CHECK(file.resolved_json == "{\"a\":{\"file\":\"" + path.string() + "\"}}");
  CHECK(file.warnings.empty());
  CHECK(file.secrets.size() == 1);
  std::filesystem::remove(path);

  const Checked by_name = check(R"({"type": "object"})", "extra: {api_key: hunter2x, max_tokens: many}");
  CHECK(by_name.resolved_json == R"({"extra":{"api_key":"***","max_tokens":"many"}})");
}

TEST_CASE("deprecated options still work and warn") {
  const Checked checked = check(property(R"({"type": "integer", "deprecated": true})"), "a: 1");
  CHECK(checked.faults.empty());
  REQUIRE(checked.warnings.size() == 1);
  CHECK(to_string(checked.warnings[0]) == "f:1:1: a: is deprecated");
}

TEST_CASE("option schemas outside the subset are the plugin's fault") {
  const auto fault = [](const std::string& schema) {
    const auto result = check_schema(schema);
    return result ? std::string() : result.error().message;
  };
  CHECK(fault(R"({"type": "object"})").empty());
  CHECK(
      fault(
          R"({"type": "object", "title": "t", "properties": {"a": {"type": ["integer", "object"], "minimum": 1,
              "properties": {"b": {"type": "string"}}, "examples": [1], "description": "d"}}, "required": ["a"]})")
          .empty());
  CHECK(fault("{") == "option schema: not valid JSON (byte 1)");
  CHECK(fault("[]") == "option schema: /: must be an object");
  CHECK(fault("{}") == "option schema: /: \"type\" must be \"object\"");
  CHECK(fault(property(R"({"pattern": "x"})")) ==
        "option schema: /properties/a: \"pattern\" is not a keyword that option schemas may use");
  CHECK(fault(property(R"({"title": "x"})")) ==
        "option schema: /properties/a: \"title\" is not a keyword that option schemas may use");
  CHECK(fault(property(R"({"format": "date"})")) ==
        "option schema: /properties/a: \"format\" must be one of duration, bytes, url, path, secret");
  CHECK(fault(property(R"({"minimum": "1"})")) ==
        "option schema: /properties/a: \"minimum\" must be a number");
  CHECK(fault(property(R"({"enum": []})")) ==
        "option schema: /properties/a: \"enum\" must be a list that is not empty");
  CHECK(fault(property(R"({"items": {"$ref": "#"}})")) ==
        "option schema: /properties/a/items: \"$ref\" is not a keyword that option schemas may use");
  CHECK(fault(R"({"type": "object", "required": ["b"]})") ==
        "option schema: /: \"required\" names \"b\", which is not in \"properties\"");
  CHECK(fault(property(R"({"type": "integer", "minimum": 5, "default": 3})")) ==
        "option schema: /: the schema's default of \"a\" must be a whole number >= 5");
  CHECK(fault(property(R"({"type": "string", "format": "duration", "default": "soon"})"))
            .starts_with("option schema: /: "));
  CHECK_FALSE(fault(property(R"({"type": "thing"})")).empty());
  CHECK_FALSE(fault(property("5")).empty());
}

TEST_CASE("the schemas that come with the program parse; every key of a run file is described") {
  REQUIRE(Schema::parse(run_schema()).ok());
  tkm::JsonDocument json;
  REQUIRE(tkm::parse_json(run_schema(), json));
  const std::function<void(const tkm::Json&, const std::string&)> visit = [&](const tkm::Json& schema,
                                                                              const std::string& path) {
    CAPTURE(path);
    CHECK_FALSE(tkm::get_string(schema, "description").empty());
    if (const auto* items = tkm::find(schema, "items"); items != nullptr && tkm::find(*items, "properties")) {
      for (const auto& member : tkm::find(*items, "properties")->GetObject()) {
        visit(member.value, path + "[]." + member.name.GetString());
      }
    }
    const auto* properties = tkm::find(schema, "properties");
    if (properties == nullptr) return;
    for (const auto& member : properties->GetObject()) {
      visit(member.value, path + "." + member.name.GetString());
    }
  };
  visit(json, "");
}

TEST_CASE("the simulator's schema is within the subset of option schemas") {
  std::ifstream file(std::string(TOKOMETER_SOURCE_DIR) + "/share/schema/sim-1.schema.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto result = check_schema(text.str());
  if (!result) MESSAGE(result.error().message);
  CHECK(result.ok());
}

}  // namespace tokometer

#include "config/expand.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "config/environment.hpp"
#include "example_schemas.hpp"

namespace tokometer::testing {
namespace {

// The merged tree as JSON, or the faults.
std::string expanded(const Input& input) {
  Sources sources{input.files, input.sets, [&](const std::string& name) -> std::optional<std::string> {
                    const auto found = input.environment.find(name);
                    if (found == input.environment.end()) return std::nullopt;
                    return found->second;
                  }};
  const auto document = load_documents(sources);
  if (!document) return messages(document);
  std::string text;
  for (const Error& fault : document->faults) text += to_string(fault) + "\n";
  return text.empty() ? to_json(document->root) : text;
}

std::string merged(const std::string& base, const std::string& over) {
  return expanded({{{"a.yaml", base}, {"b.yaml", over}}});
}

std::string with_set(const std::string& text, const std::string& assignment,
                     SetOption::Kind kind = SetOption::Kind::yaml) {
  return expanded({{{"a.yaml", text}}, {{kind, assignment}}});
}

}  // namespace

TEST_CASE("variables") {
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOST") return "gpu1";
    if (name == "EMPTY") return "";
    return std::nullopt;
  };
  struct Row {
    const char *text, *result;
  };
  const std::vector<Row> rows{
      {"plain", "plain"},
      {"http://${HOST}:80", "http://gpu1:80"},
      {"${HOST}${HOST}", "gpu1gpu1"},
      {"${EMPTY}", ""},
      {"${NONE:-x}", "x"},
      {"${NONE:-}", ""},
      {"${NONE:-a:-b}", "a:-b"},
      {"${EMPTY:-x}", "x"},
      {"${HOST:-x}", "gpu1"},
      {"${HOST:?m}", "gpu1"},
      {"$$", "$"},
      {"$${HOST}", "${HOST}"},
      {"5$ a $b", "5$ a $b"},
      {"$", "$"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto result = replace_variables(row.text, environment);
    REQUIRE(result.ok());
    CHECK(*result == row.result);
  }
  CHECK(replace_variables("${NONE}", environment).error().message == "environment variable NONE is not set");
  CHECK(replace_variables("${EMPTY:?no}", environment).error().message ==
        "environment variable EMPTY is not set: no");
  CHECK_FALSE(replace_variables("${HOST", environment).ok());
  CHECK_FALSE(replace_variables("${}", environment).ok());
  CHECK_FALSE(replace_variables("${HO ST}", environment).ok());
  CHECK_FALSE(replace_variables("${HOST:=x}", environment).ok());

  for (const char* text : {"$", "$$", "${HOST}", "a$b$$c${d}"}) {
    CHECK(*replace_variables(protect_dollars(text), environment) == text);
    CHECK_FALSE(has_variable(protect_dollars(text)));
  }
  CHECK(has_variable("a${B}"));
  CHECK(has_variable("$$${B}"));
  CHECK_FALSE(has_variable("$${B}"));
}

TEST_CASE("a plain value is typed after the replacement, a quoted one stays text") {
  const Input input{{{"a.yaml", "a: ${N}\nb: \"${N}\"\nc: x${N}\nd: ${M:-true}\ne: ${U:-}\nf: \"${U:-}\"\n"}},
                    {},
                    {{"N", "8"}}};
  // An empty plain value is as if the key were not there.
  CHECK(expanded(input) == R"({"a":8,"b":"8","c":"x8","d":true,"f":""})");
}

TEST_CASE("a variable brings no structure, only text") {
  const Input input{{{"a.yaml", "a: ${X}\n"}}, {}, {{"X", "{b: 1}\nc: 2"}}};
  CHECK(expanded(input) == "{\"a\":\"{b: 1}\\nc: 2\"}");
}

TEST_CASE("files: maps merge, everything else is replaced") {
  CHECK(merged("a: {x: 1, y: 2}", "a: {y: 3, z: 4}") == R"({"a":{"x":1,"y":3,"z":4}})");
  CHECK(merged("a: [1, 2]", "a: [3]") == R"({"a":[3]})");
  CHECK(merged("a: {x: 1}", "a: 5") == R"({"a":5})");
  CHECK(merged("a: 5", "a: {x: 1}") == R"({"a":{"x":1}})");
}

TEST_CASE("another use drops the options of the first, the same use keeps them") {
  const std::string base = "load: {use: poisson, options: {rate: 5}}";
  CHECK(merged(base, "load: {options: {rate: 7}}") == R"({"load":{"use":"poisson","options":{"rate":7}}})");
  CHECK(merged(base, "load: poisson") == R"({"load":{"use":"poisson","options":{"rate":5}}})");
  CHECK(merged(base, "load: {use: concurrency, options: {users: 3}}") ==
        R"({"load":{"use":"concurrency","options":{"users":3}}})");
  CHECK(merged(base, "load: concurrency") == R"({"load":{"use":"concurrency"}})");
}

TEST_CASE("a url takes the place of the simulator, and the other way round") {
  CHECK(merged("target: {sim: {}, wait_ready: 1s}", "target: {url: \"http://h\"}") ==
        R"({"target":{"wait_ready":"1s","url":"http://h"}})");
  CHECK(merged("target: {url: \"http://h\"}", "target: sim") == R"({"target":{"sim":{}}})");
  CHECK(with_set("target: sim", "target.url=http://h") == R"({"target":{"url":"http://h"}})");
}

TEST_CASE("short forms are written in full") {
  CHECK(
      expanded({{{"a.yaml", "processor: openai\nload: x\ntarget: sim\nphases: [{load: y}]"}}}) ==
      R"({"processor":{"use":"openai"},"load":{"use":"x"},"target":{"sim":{}},"phases":[{"load":{"use":"y"}}]})");
}

TEST_CASE("--set: typed as YAML; paths by key, index and name") {
  CHECK(with_set("a: {b: 1}", "a.b=2") == R"({"a":{"b":2}})");
  CHECK(with_set("a: {b: 1}", "a.c.d=x") == R"({"a":{"b":1,"c":{"d":"x"}}})");
  CHECK(with_set("a: 1", "a=[1, two]") == R"({"a":[1,"two"]})");
  CHECK(with_set("a: 1", "a=x=y") == R"({"a":"x=y"})");
  CHECK(with_set("a: 1", "a=") == R"({"a":""})");
  CHECK(with_set("a: 1", "a=$${X}") == R"({"a":"${X}"})");
  const std::string phases = "phases: [{name: warm, duration: 1s}, {name: main, duration: 2s}]";
  const std::string expected =
      R"({"phases":[{"name":"warm","duration":"1s"},{"name":"main","duration":"9s"}]})";
  CHECK(with_set(phases, "phases.main.duration=9s") == expected);
  CHECK(with_set(phases, "phases.1.duration=9s") == expected);
  CHECK(with_set(phases, "phases[1].duration=9s") == expected);
  CHECK(with_set("h: {}", "h[\"X.A\"]=1") == R"({"h":{"X.A":1}})");
  CHECK(with_set("l: [a, b]", "l.1=c") == R"({"l":["a","c"]})");
  CHECK(with_set("load: {use: poisson, options: {rate: 1}}", "load=throughput") ==
        R"({"load":{"use":"throughput"}})");
}

TEST_CASE("--set-string keeps text, --set-file takes a file as it is") {
  CHECK(with_set("a: 1", "a=8", SetOption::Kind::text) == R"({"a":"8"})");
  const auto path = std::filesystem::temp_directory_path() / "tokometer-set-file.txt";
  std::ofstream(path) << "one ${X}\ntwo\n";
  CHECK(with_set("a: 1", "a=" + path.string(), SetOption::Kind::file) == R"({"a":"one ${X}\ntwo"})");
  std::filesystem::remove(path);
}

TEST_CASE("--set options follow each other; options given there survive another use") {
  const Input rate_first{
      {{"a.yaml", "load: {use: poisson, options: {rate: 1, x: 2}}"}},
      {{SetOption::Kind::yaml, "load.options.users=3"}, {SetOption::Kind::yaml, "load.use=c"}}};
  CHECK(expanded(rate_first) == R"({"load":{"use":"c","options":{"users":3}}})");
}

}  // namespace tokometer::testing

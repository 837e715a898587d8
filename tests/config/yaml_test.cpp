#include "config/yaml.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace tokometer {

TEST_CASE("plain scalars are typed as JSON, quoted ones are text") {
  struct Row {
    std::string yaml, json;
  };
  const std::vector<Row> rows{
      {"a: 1", R"({"a":1})"},
      {"a: -7", R"({"a":-7})"},
      {"a: 18446744073709551615", R"({"a":18446744073709551615})"},
      {"a: 1.5e3", R"({"a":1500})"},
      {"a: true", R"({"a":true})"},
      {"a: null", R"({"a":null})"},
      {"a: ~", R"({"a":null})"},
      {"a:", R"({"a":null})"},
      {"a: True", R"({"a":"True"})"},
      {"a: yes", R"({"a":"yes"})"},
      {"a: off", R"({"a":"off"})"},
      {"a: 08", R"({"a":"08"})"},
      {"a: +1", R"({"a":"+1"})"},
      {"a: .5", R"({"a":".5"})"},
      {"a: 5.", R"({"a":"5."})"},
      {"a: 1e", R"({"a":"1e"})"},
      {"a: 1_000", R"({"a":"1_000"})"},
      {"a: .nan", R"({"a":".nan"})"},
      {"a: \"1\"", R"({"a":"1"})"},
      {"a: '1'", R"({"a":"1"})"},
      {"a: |\n  1\n  2\n", R"({"a":"1\n2\n"})"},
      {"a: \"\\u00e9\\n\"", "{\"a\":\"\xc3\xa9\\n\"}"},
      {"a: {b: [1, x], c: {}}", R"({"a":{"b":[1,"x"],"c":{}}})"},
      {"---\na: 1\n...\n", R"({"a":1})"},
      {"\xEF\xBB\xBF"
       "a: 1",
       R"({"a":1})"},
      {"a: 1\r\nb: 2\r\n", R"({"a":1,"b":2})"},
      {"{\"a\": 1, \"b\": [true, null]}", R"({"a":1,"b":[true,null]})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    const auto document = parse_yaml(row.yaml, "f");
    REQUIRE(document.ok());
    CHECK(to_json(document->root) == row.json);
  }
}

TEST_CASE("every node knows where it stands") {
  const auto document = parse_yaml("a: 1\nb:\n  - x: 5\n    \xc3\xa9: {c: 2}\n", "dir/f.yaml");
  REQUIRE(document.ok());
  const Node& list = *document->root.find("b");
  CHECK(list.key_position.line == 2);
  CHECK(list.key_position.column == 1);
  const Node& item = list.items.at(0);
  CHECK(item.value_position.line == 3);
  CHECK(item.value_position.column == 5);
  CHECK(item.path == "b[0]");
  const Node& deep = item.items.at(1).items.at(0);
  CHECK(deep.path == "b[0][\"\xc3\xa9\"].c");
  CHECK(deep.key_position.file == "dir/f.yaml");
  CHECK(deep.key_position.line == 4);
  CHECK(deep.key_position.column == 9);  // characters, not bytes
  CHECK(deep.value_position.column == 12);
}

TEST_CASE("faults of one text are reported together, and the first value of a key is kept") {
  const auto tree = parse_yaml_tree("a: 1\na: {b: !t 2}\nc: &x 3\n", "f");
  REQUIRE(tree.ok());
  CHECK(to_json(tree->root) == R"({"a":1,"c":3})");
  REQUIRE(tree->faults.size() == 3);
  CHECK(to_string(tree->faults[0]) == "f:2:1: a: given twice (first at line 1)");
  CHECK(to_string(tree->faults[1]) == "f:2:8: tags are not allowed");
  CHECK(to_string(tree->faults[2]) == "f:3:4: anchors and aliases are not allowed");
  CHECK_FALSE(parse_yaml("a: 1\na: 2\n", "f").ok());
}

TEST_CASE("limits: 1 MiB and 32 levels are allowed, more is not") {
  const std::string filler = "a: " + std::string(kMaxYamlBytes - 3, 'x');
  CHECK(parse_yaml(filler, "f").ok());
  CHECK(parse_yaml(filler + "x", "f").error().message == "larger than 1 MiB");
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_yaml(nested(32), "f").ok());
  CHECK(parse_yaml(nested(33), "f").error().message == "nested deeper than 32 levels");
  // Brackets that never close must not take time or stack.
  CHECK_FALSE(parse_yaml(std::string(kMaxYamlBytes, '['), "f").ok());
  CHECK_FALSE(parse_yaml("a: " + std::string(kMaxYamlBytes - 3, '{'), "f").ok());
}

TEST_CASE("no text takes the parser down: every prefix and every changed byte of a run file") {
  const std::string text =
      "a: {b: [1, 'x', \"y\\n\"], c: &d 5}\n? [k]\n: *d\ne: |\n  text\n\tf: !!str >-\n  g\n--- %\n<<: {}\n";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const auto document = parse_yaml(std::string_view(text).substr(0, cut), "f");
    if (!document) CHECK_FALSE(document.error().message.empty());
  }
  for (size_t at = 0; at < text.size(); ++at) {
    for (const char c : {'\0', '\t', '{', ']', '"', ':', '\xff', '\n'}) {
      std::string changed = text;
      changed[at] = c;
      const auto document = parse_yaml(changed, "f");
      if (!document) CHECK_FALSE(document.error().message.empty());
    }
  }
}

}  // namespace tokometer

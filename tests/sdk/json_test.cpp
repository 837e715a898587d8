#include <doctest/doctest.h>
#include <tokometer/json.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using tkm::JsonDocument;
using tkm::JsonWriter;
using tkm::parse_json;

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  tkm::append_json_escaped(out, text);
  return out;
}

JsonDocument parsed(std::string_view text) {
  JsonDocument document;
  REQUIRE_MESSAGE(parse_json(text, document), std::string(text));
  return document;
}

std::string nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
}

}  // namespace

TEST_CASE("json: texts are escaped, and what is not UTF-8 is replaced") {
  const std::string replaced = "\xEF\xBF\xBD";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain text, longer than eight bytes", "plain text, longer than eight bytes"},
      {"say \"hi\"", "say \\\"hi\\\""},
      {"back\\slash", "back\\\\slash"},
      {"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
      {std::string("a\0b", 3), "a\\u0000b"},
      {"\x1f\x7f", "\\u001f\x7f"},
      {"Gr\xC3\xBC\xC3\x9F\x65", "Gr\xC3\xBC\xC3\x9F\x65"},
      {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
      {"\xC3", replaced},                                               // cut
      {"\xF0\x9F\x98", replaced + replaced + replaced},                 // cut
      {"\xC0\xAF", replaced + replaced},                                // overlong
      {"\xE0\x80\x80", replaced + replaced + replaced},                 // overlong
      {"\xED\xA0\x80", replaced + replaced + replaced},                 // surrogate
      {"\xF4\x90\x80\x80", replaced + replaced + replaced + replaced},  // past U+10FFFF
      {"a\xFFz", "a" + replaced + "z"},
  };
  for (const auto& [text, expected] : cases) CHECK(escaped(text) == expected);
}

TEST_CASE("json: every byte is escaped the same wherever it stands") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    for (size_t before = 0; before < 17; ++before) {
      const std::string text = std::string(before, 'x') + one + std::string(16, 'y');
      CHECK(escaped(text) == std::string(before, 'x') + escaped(one) + std::string(16, 'y'));
    }
  }
}

TEST_CASE("json: what is written reads back, whatever the text") {
  std::string every_byte;
  for (int byte = 0; byte < 0x80; ++byte) every_byte.push_back(static_cast<char>(byte));
  for (const std::string& text :
       {every_byte, std::string(1'000'000, 'x') + "\"", std::string("\xC3\xA4\0\n", 4)}) {
    std::string json;
    JsonWriter(json).begin_object().member(text, text).end_object();
    const JsonDocument document = parsed(json);
    CHECK(tkm::get_string(document, text) == text);
  }
}

TEST_CASE("json: the writer puts commas where they belong") {
  std::string out = "> ";  // what is there stays
  JsonWriter json(out);
  json.begin_object().member("a", 1).member("b", true).member("c", nullptr).key("d").begin_array();
  json.value(1.5).value("x").begin_object().end_object().begin_array().end_array().end_array();
  json.raw_member("e", "{\"f\":0}").raw_members("{\"g\":1, \"h\":2}").raw_members("{ }").member("i", -1);
  json.key("j").begin_string().piece("one ").piece("\"two\"").end_string().end_object();
  CHECK(out ==
        "> {\"a\":1,\"b\":true,\"c\":null,\"d\":[1.5,\"x\",{},[]],\"e\":{\"f\":0},\"g\":1, \"h\":2,\"i\":-1,"
        "\"j\":\"one \\\"two\\\"\"}");
}

TEST_CASE("json: numbers are the shortest text that reads back as the same") {
  const auto text = [](auto number) {
    std::string out;
    JsonWriter(out).value(number);
    return out;
  };
  CHECK(text(0.1) == "0.1");
  CHECK(text(3.0) == "3");
  CHECK(text(1e300) == "1e+300");
  CHECK(text(std::numeric_limits<int64_t>::min()) == "-9223372036854775808");
  CHECK(text(std::numeric_limits<uint64_t>::max()) == "18446744073709551615");
  CHECK(text(std::numeric_limits<double>::quiet_NaN()) == "null");
  CHECK(text(-std::numeric_limits<double>::infinity()) == "null");
  for (const double number : {1.0 / 3, 5e-324, 1.7976931348623157e308, 0.30000000000000004}) {
    CHECK(parsed(text(number)).GetDouble() == number);
  }
}

TEST_CASE("json: a parsed value is written as it was") {
  const std::string text =
      R"({"a":[1,-2,2.5,18446744073709551615,true,false,null,"x\"y"],"b":{"c":{}},"d":[]})";
  std::string out;
  JsonWriter(out).value(parsed(text));
  CHECK(out == text);
}

TEST_CASE("json: what is not one JSON text is refused") {
  for (const std::string_view text :
       {"", " ", "{", "[1,", "{\"a\"}", "{\"a\":1,}", "nul", "01", "1 2", "{}{}", "\"\\ud800\"", "\"a",
        "[1]x", "NaN", "{'a':1}", "/*c*/1", "\xEF\xBB\xBF{}"}) {
    JsonDocument document;
    CHECK_MESSAGE(!parse_json(text, document), std::string(text));
    CHECK(document.IsNull());
  }
  JsonDocument document;
  CHECK_FALSE(parse_json(std::string_view("1\0", 2), document));
  CHECK_FALSE(parse_json(std::string_view("{}\0garbage", 10), document));
  size_t offset = 0;
  CHECK_FALSE(parse_json("[1, 2, x]", document, &offset));
  CHECK(offset == 7);
}

TEST_CASE("json: nesting is limited, and deep input costs no stack") {
  JsonDocument document;
  CHECK(parse_json(nested(tkm::kMaxJsonDepth), document));
  CHECK_FALSE(parse_json(nested(tkm::kMaxJsonDepth + 1), document));
  CHECK_FALSE(parse_json(std::string(10'000'000, '['), document));
  std::string objects;
  for (int i = 0; i < 100; ++i) objects += "{\"a\":";
  CHECK_FALSE(parse_json(objects, document));
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[],";
  CHECK(parse_json(wide + "[]]", document));
}

TEST_CASE("json: getters answer with a fallback instead of failing") {
  const JsonDocument document = parsed(
      R"({"s":"text","n":3,"f":3.5,"w":3.0,"big":1e30,"u":18446744073709551615,"b":true,"z":null,"s":"second"})");
  CHECK(tkm::get_string(document, "s") == "text");
  CHECK(tkm::get_string(document, "n", "other") == "other");
  CHECK(tkm::get_string(document, "missing") == "");
  CHECK(tkm::get_int(document, "n") == 3);
  CHECK(tkm::get_int(document, "w") == 3);
  CHECK(tkm::get_int(document, "f", -1) == -1);
  CHECK(tkm::get_int(document, "big", -1) == -1);
  CHECK(tkm::get_int(document, "u", -1) == -1);
  CHECK(tkm::get_int(document, "s", -1) == -1);
  CHECK(tkm::get_number(document, "f") == 3.5);
  CHECK(tkm::get_number(document, "n") == 3.0);
  CHECK(tkm::get_number(document, "z", 7) == 7.0);
  CHECK(tkm::get_bool(document, "b"));
  CHECK(tkm::get_bool(document, "n", true));
  CHECK(tkm::find(document, "z")->IsNull());
  CHECK(tkm::find(document, "missing") == nullptr);
  CHECK(tkm::find(*tkm::find(document, "n"), "a") == nullptr);  // not an object
  CHECK(tkm::text_of(*tkm::find(document, "n")).empty());
}

TEST_CASE("json: where text stops to be UTF-8") {
  CHECK(tkm::invalid_utf8_at("") == std::string_view::npos);
  CHECK(tkm::invalid_utf8_at("Gr\xC3\xBC\xC3\x9F\x65 \xF0\x9F\x98\x80") == std::string_view::npos);
  CHECK(tkm::invalid_utf8_at("ab\xC3") == 2);
  CHECK(tkm::invalid_utf8_at("\xC3\xA4\xED\xA0\x80") == 2);
}

TEST_CASE("json: an event reader sees the members and can stop the parse") {
  struct Keys : tkm::JsonEvents {
    std::vector<std::string> seen;
    bool Key(const char* text, rapidjson::SizeType size, bool) {
      seen.emplace_back(text, size);
      return seen.back() != "stop";
    }
  };
  tkm::JsonReader reader;
  Keys keys;
  CHECK(reader.parse(R"({"a":{"b":1},"c":[{"d":2}]})", keys));
  CHECK(keys.seen == std::vector<std::string>{"a", "b", "c", "d"});
  keys.seen.clear();
  CHECK_FALSE(reader.parse(R"({"a":1,"stop":2,"b":3})", keys));
  CHECK(keys.seen == std::vector<std::string>{"a", "stop"});
  keys.seen.clear();
  CHECK(reader.parse(R"({"a":1})", keys));  // a failed parse leaves nothing behind
}

#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;
using host::Sample;

std::string turns(std::string_view question, std::string_view answer) {
  return R"([{"from":"human","value":")" + std::string(question) + R"("},{"from":"gpt","value":")" +
         std::string(answer) + "\"}]";
}

std::string record(std::string_view question, std::string_view answer = "a") {
  return R"({"id":"x","conversations":)" + turns(question, answer) + "}";
}

std::vector<Sample> read(std::string_view bytes) {
  const Folder folder;
  Dataset dataset("sharegpt", reading(folder.write("s.json", bytes)));
  REQUIRE(dataset.error() == "");
  CHECK(dataset.size() == -2);
  return dataset.all();
}

TEST_CASE("sharegpt: the first question is asked, its answer is kept") {
  const auto samples = read("[" + record("q1", "a1") + " ,\n " + record("q2\\n\\u00fc", "a2") + "]\n");
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].text == "q1");
  CHECK(samples[0].answer == "a1");
  CHECK(samples[0].output_tokens == -1);
  CHECK(samples[0].messages.empty());
  CHECK(samples[1].text == "q2\nü");
}

TEST_CASE("sharegpt: known variants of the form") {
  const std::string quoted = R"([{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\",\"value\":\"a\"}])";
  const std::string rows[] = {
      record("q"),
      R"({"conversation":)" + turns("q", "a") + "}",
      R"({"conversations":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]})",
      turns("q", "a"),                               // a row that is the list itself
      "\"" + quoted + "\"",                          // ... in a string
      R"("{\"conversations\":)" + quoted + R"(}")",  // a whole row in a string
      R"({"conversations":")" + quoted + "\"}",      // the list in a string
      R"({"conversations":[{"from":"gpt","value":"before"},{"from":"human","value":"q"},{"from":"gpt","value":"a"}]})",
  };
  for (const std::string& row : rows) {
    CAPTURE(row);
    for (const std::string& file : {"[" + row + "]", "\xEF\xBB\xBF[" + row + "\r\n]"}) {
      const auto samples = read(file);
      REQUIRE(samples.size() == 1);
      CHECK(samples[0].error == "");
      CHECK(samples[0].text == "q");
      CHECK(samples[0].answer == "a");
    }
  }
  const auto lines = read(record("q1") + "\n\n" + record("q2") + "\r\n");
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].text == "q2");
}

TEST_CASE("sharegpt: a system prompt makes it a chat") {
  const auto samples = read(
      R"([{"conversations":[{"from":"system","value":"be kind"},{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}])");
  REQUIRE(samples.size() == 1);
  REQUIRE(samples[0].messages.size() == 2);
  CHECK(samples[0].messages[0].role == "system");
  CHECK(samples[0].messages[0].parts[0].second == "be kind");
  CHECK(samples[0].messages[1].role == "user");
  CHECK(samples[0].messages[1].parts[0].second == "q");
  CHECK(samples[0].text.empty());
}

TEST_CASE("sharegpt: a question without an answer, an answer that is a question") {
  const auto samples = read(R"([{"conversations":[{"from":"human","value":"q"}]},
    {"conversations":[{"from":"human","value":"q"},{"from":"human","value":"again"}]}])");
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].answer == "");
  CHECK(samples[1].answer == "");
}

TEST_CASE("sharegpt: bad records are named, and reading goes on behind them") {
  struct Case {
    const char *row, *sentence;
  };
  const Case cases[] = {
      {R"({"id":1,"items":[]})", R"(record 2: "conversations" is missing; found: id, items)"},
      {"{}", R"(record 2: "conversations" is missing; found: nothing)"},
      {R"({"conversations":[{"from":"human","value":" \n"}]})", "record 2: empty prompt"},
      {R"({"conversations":[]})", R"(record 2: no turn from "human" or "user")"},
      {R"({"conversations":[{"from":"gpt","value":"a"}]})", R"(record 2: no turn from "human" or "user")"},
      {R"({"conversations":7})", R"(record 2: "conversations" must be a list (got 7))"},
      {R"({"conversations":[7]})", "record 2: turn 1: must be an object (got 7)"},
      {R"({"conversations":[{"value":"q","lang":"en"}]})",
       R"(record 2: turn 1: "from" is missing; found: value, lang)"},
      {R"({"conversations":[{"from":"human","value":null}]})",
       R"(record 2: turn 1: "value" must be text (got null))"},
      {"7", "record 2: must be an object or a list of turns (got 7)"},
      {"null", "record 2: must be an object or a list of turns (got null)"},
      {"\"hello\"", "record 2: the text in it is not valid JSON"},
      {"{\"a\":tru}", "record 2: not valid JSON (byte 97)"},
      {"{'a':1}", "record 2: not valid JSON (byte 90)"},
      {"", "record 2: not valid JSON (byte 89)"},
      {"{\"a\":\"\\ud800\"}", "record 2: not valid JSON (byte 95)"},
      {"{\"a\":\"\xFF\"}", "record 2: not valid UTF-8 (byte 95)"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.row);
    const Folder folder;
    const std::string path =
        folder.write("s.json", "[" + record("q1") + ",\n" + it.row + ",\n" + record("q3") + "]");
    Dataset dataset("sharegpt", reading(path));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == 3);
    CHECK(samples[0].text == "q1");
    CHECK(samples[1].status == TKM_E_INPUT);
    CHECK(samples[1].error == path + ": " + it.sentence);
    CHECK(samples[2].text == "q3");
  }
}

TEST_CASE("sharegpt: an array that is no JSON array") {
  struct Case {
    std::string bytes;
    size_t records;
    const char* sentence;
  };
  const std::string one = record("q");  // 84 bytes
  const Case cases[] = {
      {"[" + one + "] x", 1, "more follows after the end of the array (byte 88)"},
      {"[" + one + "][]", 1, "more follows after the end of the array (byte 87)"},
      {"[" + one + ",]", 1, "record 2: not valid JSON (byte 87)"},
      {"[" + one + " " + one + "]", 1,
       "record 2: not valid JSON: a comma is missing in front of it (byte 87)"},
      {"[", 0, "ends before record 1 (byte 1)"},
      {"[" + one, 1, "ends after record 1 (byte 85)"},
      {"[" + one + ",", 1, "ends after record 1 (byte 86)"},
      {"[" + one + "," + one.substr(0, 40), 1, "ends inside record 2 (byte 126)"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.bytes);
    const Folder folder;
    const std::string path = folder.write("s.json", it.bytes);
    Dataset dataset("sharegpt", reading(path));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == it.records + 1);
    CHECK(samples.back().status == TKM_E_INPUT);
    CHECK(samples.back().error == path + ": " + it.sentence);
  }
  CHECK(read("[]").empty());
}

TEST_CASE("sharegpt: a file cut at any byte gives its whole records and one sentence") {
  const std::string whole = "[" + record("q1 \\\" ]},") + "," + record("q2") + "," + record("q3") + "]";
  const Folder folder;
  for (size_t size = 1; size < whole.size(); ++size) {
    CAPTURE(size);
    Dataset dataset("sharegpt", reading(folder.write("s.json", whole.substr(0, size))));
    const auto samples = dataset.all();
    REQUIRE(!samples.empty());
    CHECK(samples.size() <= 4);
    CHECK(samples.back().status == TKM_E_INPUT);
    CHECK(samples.back().error.find(": ends ") != std::string::npos);
    for (size_t index = 0; index + 1 < samples.size(); ++index) CHECK(samples[index].status == TKM_OK);
  }
}

TEST_CASE("sharegpt: large numbers are written with commas") {
  std::string bytes = "[";
  for (int index = 0; index < 1234; ++index) bytes += record("q") + ",";
  const Folder folder;
  const std::string path = folder.write("s.json", bytes + "{\"conversations\": [");
  Dataset dataset("sharegpt", reading(path));
  CHECK(dataset.all().back().error == path + ": ends inside record 1,235 (byte 104,910)");
}

}  // namespace

#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;
using host::Sample;

std::vector<Sample> read(std::string_view bytes, std::string_view options = "") {
  const Folder folder;
  Dataset dataset("jsonl", reading(folder.write("p.jsonl", bytes), options));
  REQUIRE(dataset.error() == "");
  return dataset.all();
}

TEST_CASE("jsonl: the usual names of the prompt, in their order") {
  for (const char* name : {"prompt", "instruction", "question", "input", "context", "content", "text"}) {
    CAPTURE(name);
    const auto samples = read(R"({"id":1,")" + std::string(name) + R"(":"hello"})");
    REQUIRE(samples.size() == 1);
    CHECK(samples[0].text == "hello");
    CHECK(samples[0].output_tokens == -1);
  }
  CHECK(read(R"({"text":"t","input":"i","instruction":"n"})")[0].text == "n");
  CHECK(read(R"({"prompt":null,"text":"t"})")[0].text == "t");
}

TEST_CASE("jsonl: options name the fields") {
  const auto samples = read(R"({"prompt":"no","ask":"yes","sys":"be kind","n":17})",
                            R"(,"prompt":"ask","system":"sys","output_tokens":"n")");
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].error == "");
  REQUIRE(samples[0].messages.size() == 2);
  CHECK(samples[0].messages[0].role == "system");
  CHECK(samples[0].messages[0].parts[0].second == "be kind");
  CHECK(samples[0].messages[1].parts[0].second == "yes");
  CHECK(samples[0].output_tokens == 17);
  CHECK(samples[0].output_mode == TKM_OUTPUT_AT_MOST);
}

TEST_CASE("jsonl: system prompts and lengths under their usual names") {
  const auto samples = read(R"({"system_prompt":"be kind","question":"q","output_tokens":5.0}
{"system_prompt":"","question":"q2"})");
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].messages.size() == 2);
  CHECK(samples[0].output_tokens == 5);
  CHECK(samples[1].text == "q2");
}

TEST_CASE("jsonl: token ids") {
  const auto samples = read(R"({"prompt":[5,0,2147483647]})");
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].tokens == std::vector<int32_t>{5, 0, 2147483647});
  CHECK(samples[0].prompt_tokens == 3);
}

TEST_CASE("jsonl: chat messages, with parts, tool calls and a scripted answer") {
  const auto samples = read(
      R"([{"messages":[{"role":"system","content":"s"},
    {"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c1"}]},
    {"role":"tool","tool_call_id":"c1","content":"42"},
    {"role":"assistant","content":"the answer"}],"output_tokens":9}])");
  REQUIRE(samples.size() == 1);
  REQUIRE(samples[0].error == "");
  const auto& messages = samples[0].messages;
  REQUIRE(messages.size() == 4);
  CHECK(messages[1].parts == std::vector<std::pair<int32_t, std::string>>{
                                 {TKM_PART_TEXT, "look"}, {TKM_PART_IMAGE, "data:image/png;base64,AA"}});
  CHECK(messages[2].extra == R"({"tool_calls":[{"id":"c1"}]})");
  CHECK(messages[2].parts.empty());
  CHECK(messages[3].extra == R"({"tool_call_id":"c1"})");
  CHECK(samples[0].answer == "the answer");
  CHECK(samples[0].output_tokens == 9);
}

TEST_CASE("jsonl: a prompt that is asked for wins over messages that are not") {
  const std::string row = R"({"prompt":"p","messages":[{"role":"user","content":"m"}]})";
  CHECK(read(row)[0].messages.size() == 1);
  CHECK(read(row, R"(,"prompt":"prompt")")[0].text == "p");
  CHECK(read(R"({"chat":[{"role":"user","content":"m"}]})", R"(,"messages":"chat")")[0].messages.size() == 1);
}

TEST_CASE("jsonl: bad lines are named, and reading goes on behind them") {
  struct Case {
    const char *line, *options, *sentence;
  };
  const Case cases[] = {
      {R"({"prompt": "a" "b"})", "", "not valid JSON (column 16)"},
      {R"({"prompt":)", "", "not valid JSON (column 11)"},
      {R"({"prompt":"a"} {})", "", "not valid JSON (column 16)"},
      {"{\"prompt\":\"a\xC3\"}", "", "not valid UTF-8 (column 13)"},
      {R"({"prompt":"\n"})", "", "empty prompt"},
      {R"({"prompt":[]})", "", "empty prompt"},
      {R"({"prompt":7})", "", "the prompt must be text or a list of token ids (got 7)"},
      {R"({"prompt":[1,-1]})", "", "a token id must be a whole number from 0 (got -1)"},
      {R"({"prompt":[1,"x"]})", "", R"(a token id must be a whole number from 0 (got "x"))"},
      {R"({"prompt":[1],"system":"s"})", "", "a system prompt cannot go in front of token ids"},
      {R"({"id":1,"items":2})", "", R"("prompt" is missing; found: id, items)"},
      {R"({"id":1})", R"(,"prompt":"ask")", R"("ask" is missing; found: id)"},
      {R"({"prompt":"p"})", R"(,"system":"sys")", R"("sys" is missing; found: prompt)"},
      {R"({"prompt":"p"})", R"(,"output_tokens":"n")", R"("n" is missing; found: prompt)"},
      {R"({"prompt":"p","output_tokens":0})", "",
       R"("output_tokens" must be a whole number from 1 to 10,000,000 (got 0))"},
      {R"({"prompt":"p","output_tokens":"9"})", "",
       R"("output_tokens" must be a whole number from 1 to 10,000,000 (got "9"))"},
      {R"({"prompt":"p","system":3})", "", "the system prompt must be text (got 3)"},
      {"[1]", "", "must be an object (got a list)"},
      {"3", "", "must be an object (got 3)"},
      {R"({"messages":[]})", "", "empty prompt"},
      {R"({"messages":{}})", "", "the messages must be a list (got an object)"},
      {R"({"messages":["x"]})", "", R"(message 1: must be an object (got "x"))"},
      {R"({"messages":[{"content":"x"}]})", "", R"(message 1: "role" is missing; found: content)"},
      {R"({"messages":[{"role":1,"content":"x"}]})", "", R"(message 1: "role" must be text (got 1))"},
      {R"({"messages":[{"role":"user"}]})", "", R"(message 1: "content" is missing; found: role)"},
      {R"({"messages":[{"role":"system","content":"x"}]})", "", "empty prompt"},
      {R"({"messages":[{"role":"user","content":" "}]})", "", "empty prompt"},
      {R"({"messages":[{"role":"user","content":3}]})", "",
       R"(message 1: "content" must be text or a list of parts (got 3))"},
      {R"({"messages":[{"role":"user","content":["x"]}]})", "",
       R"(message 1: each part must be an object with a "type")"},
      {R"({"messages":[{"role":"user","content":[{"type":"input_audio"}]}]})", "",
       R"(message 1: a part must have the type text, image_url or video_url (got "input_audio"))"},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})", "",
       "message 1: a part of type image_url is empty"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.line);
    const Folder folder;
    const std::string good = R"({"prompt":"p","ask":"p","sys":"s","n":1})";
    const std::string path = folder.write("p.jsonl", good + "\n \r\n" + it.line + "\n" + good + "\n");
    Dataset dataset("jsonl", reading(path, it.options));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == 3);
    CHECK(samples[0].error == "");
    CHECK(samples[1].status == TKM_E_INPUT);
    CHECK(samples[1].error == path + ":3: " + it.sentence);
    CHECK(samples[2].error == "");
  }
}

TEST_CASE("jsonl: arrival times, by number or date, and a part cut out of them") {
  const std::string rows = R"({"prompt":"a","timestamp":1700000000000,"at":"2024-05-10T00:00:00Z"}
{"prompt":"b","timestamp":1700000000250.5,"at":"2024-05-10 00:00:01.5"}
{"prompt":"c","timestamp":1700000004000,"at":"2024-05-10T02:00:03+02:00"}
)";
  const auto arrivals = [&](std::string_view options) {
    std::vector<int64_t> all;
    for (const Sample& sample : read(rows, options)) all.push_back(sample.arrival_ns);
    return all;
  };
  CHECK(arrivals(R"(,"timestamp_unit":"ms")") == std::vector<int64_t>{0, 250'500'000, 4'000'000'000});
  CHECK(arrivals(R"(,"timestamp":"at")") == std::vector<int64_t>{0, 1'500'000'000, 3'000'000'000});
  CHECK(arrivals(R"(,"timestamp":"at","from":1,"to":3)") == std::vector<int64_t>{1'500'000'000});
  // A field of the usual name that holds something else is none; one that was asked for must be a time.
  const std::string other = R"({"prompt":"a","timestamp":"yesterday"})";
  CHECK(read(other)[0].arrival_ns == -1);
  CHECK(read(other, R"(,"timestamp":"timestamp")")[0].error.ends_with(
      R"(:1: "timestamp" must be a time (got "yesterday"))"));
  CHECK(read(R"({"prompt":"a"})", R"(,"from":1)")[0].error.ends_with(
      R"(:1: "timestamp" is missing; found: prompt)"));
}

TEST_CASE("jsonl: an answer is kept where its field is named") {
  const std::string row = R"({"prompt":"p","reply":"r"})";
  CHECK(read(row)[0].answer == "");
  CHECK(read(row, R"(,"answer":"reply")")[0].answer == "r");
}

TEST_CASE("jsonl: foreign text in a sentence is cut at a character and shows no control characters") {
  std::string keys = "{";
  for (int index = 0; index < 20; ++index) keys += "\"k" + std::to_string(index) + "\":1,";
  const auto many = read(keys + R"("z":1})");
  CHECK(many[0].error.ends_with(
      R"("prompt" is missing; found: k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, ...)"));
  const auto wild = read("{\"a\\u0007\\u001b\":1,\"" + std::string(39, 'x') + "\xC3\xBC\xC3\xBC\":2}");
  CHECK(wild[0].error.ends_with("found: a\\u0007\\u001b, " + std::string(39, 'x') + "..."));
}

TEST_CASE("jsonl: options that contradict each other") {
  const Folder folder;
  const std::string path = folder.write("p.jsonl", "{}");
  Dataset both("jsonl", reading(path, R"(,"prompt":"p","messages":"m")"));
  CHECK(both.status() == TKM_E_CONFIG);
  CHECK(both.error() == "prompt, messages: give one of the two");
  Dataset system("jsonl", reading(path, R"(,"messages":"m","system":"s")"));
  CHECK(system.error() == "system: messages bring their own; give it with a prompt only");
}

TEST_CASE("jsonl: arrivals count from the first record, exactly, in the unit of the file") {
  struct Case {
    const char *lines, *options;
    std::vector<int64_t> arrivals;  // INT64_MIN: none was said
  };
  const Case cases[] = {{R"({"text":"a","timestamp":10}
{"text":"b","timestamp":12.25}
{"text":"c","timestamp":"noon"}
{"text":"d"})",
                         "",
                         {0, 2'250'000'000, INT64_MIN, INT64_MIN}},
                        {R"({"text":"a","t":1700000000123456789}
{"text":"b","t":1700000000123456790}
{"text":"c","t":1700000000123456788})",
                         R"(,"timestamp":"t","timestamp_unit":"ns")",
                         {0, 1, -1}},
                        {R"({"text":"a","t":1700000000123}
{"text":"b","t":1700000000124}
{"text":"c","t":1700000000124.5})",
                         R"(,"timestamp":"t","timestamp_unit":"ms")",
                         {0, 1'000'000, 1'500'000}},
                        {R"({"text":"a","t":0}
{"text":"b","t":30}
{"text":"c","t":60}
{"text":"d","t":89})",
                         R"(,"timestamp":"t","from":30,"to":89)",
                         {30'000'000'000, 60'000'000'000}}};
  for (const Case& it : cases) {
    CAPTURE(it.lines);
    std::vector<int64_t> arrivals;
    for (const Sample& sample : read(it.lines, it.options)) {
      CHECK(sample.error == "");
      arrivals.push_back(sample.arrivals.empty() ? INT64_MIN : sample.arrivals.front());
    }
    CHECK(arrivals == it.arrivals);
  }
}

TEST_CASE("jsonl: a time that an option asks for must be there and be a time") {
  for (const char* options : {R"(,"timestamp":"at")", R"(,"from":5)"}) {
    CAPTURE(options);
    const std::string field = std::string(options).find("at") != std::string::npos ? "at" : "timestamp";
    const auto samples = read(R"({"text":"a"})"
                              "\n{\"text\":\"b\",\"" +
                                  field + R"(":"noon"})",
                              options);
    REQUIRE(samples.size() == 2);
    CHECK(samples[0].error.ends_with("p.jsonl:1: \"" + field + "\" is missing; found: text"));
    CHECK(samples[1].error.ends_with("p.jsonl:2: \"" + field + "\" must be a time (got \"noon\")"));
  }
  const Folder folder;
  Dataset nothing("jsonl", reading(folder.write("p.jsonl", "{}"), R"(,"from":5,"to":5)"));
  CHECK(nothing.error() == "from, to: \"to\" must lie behind \"from\"");
}

}  // namespace

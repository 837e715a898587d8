// The published sets of prompts with answers, each by its exact fields.
#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;
using host::Sample;

std::vector<Sample> read(std::string_view id, std::string_view bytes, std::string_view options = "") {
  const Folder folder;
  Dataset dataset(id, reading(folder.write("d.json", bytes), options));
  REQUIRE(dataset.error() == "");
  CHECK(dataset.size() == -2);
  return dataset.all();
}

std::string last_part(const Sample& sample) {
  return sample.messages.empty() ? sample.text : sample.messages.back().parts[0].second;
}

TEST_CASE("published sets: prompt, system prompt and answer of a good record") {
  struct Case {
    const char *id, *record, *system, *prompt, *answer;
  };
  const std::string summarize = "Summarize the following text in a few sentences.\n\n";
  const std::string article = summarize + "Rain fell.";
  const Case cases[] = {
      {"openorca", R"({"id":"flan.1","system_prompt":"be brief","question":"why?","response":"so"})",
       "be brief", "why?", "so"},
      {"openorca", R"({"id":"flan.1","system_prompt":"","question":"why?","response":"so"})", "", "why?",
       "so"},
      {"cnn_dailymail", R"({"article":"Rain fell.","highlights":"Rain.","id":"a1"})", "", article.c_str(),
       "Rain."},
      {"code_alpaca", R"({"instruction":"Sort it.","input":"3 1 2","output":"1 2 3"})", "",
       "Sort it.\n\n3 1 2", "1 2 3"},
      {"code_alpaca", R"({"instruction":"Say hi.","input":"","output":"hi"})", "", "Say hi.", "hi"},
      {"code_alpaca", R"({"prompt":"Say hi.","completion":"hi"})", "", "Say hi.", "hi"},
      {"billsum",
       R"({"conversations":[{"from":"human","value":"Sum up: Section 1."},{"from":"gpt","value":"One."}]})",
       "", "Sum up: Section 1.", "One."},
      {"quac",
       R"({"dialogue_id":"C_1","wikipedia_page_title":"T","background":"B","section_title":"S","context":"It rained.",
          "turn_ids":["q0","q1"],"questions":["Did it?","When?"],"followups":[0,1],"yesnos":[0,2],
          "answers":{"texts":[["It rained","yes"],["x"]],"answer_starts":[[0],[1]]},
          "orig_answers":{"texts":["It rained","x"],"answer_starts":[0,1]}})",
       "", "It rained.\n\nDid it?", "It rained"},
      {"quac", R"({"context":"c","questions":["q"],"answers":{"texts":[["a1","a2"]]}})", "", "c\n\nq", "a1"},
      {"quac", R"({"context":"c","questions":["q"]})", "", "c\n\nq", ""},
  };
  for (const Case& it : cases) {
    CAPTURE(it.id);
    CAPTURE(it.record);
    const std::string record(it.record);
    std::string line = record;
    std::erase(line, '\n');
    for (const std::string& file : {"[" + record + "," + record + "]", line + "\n" + line + "\n"}) {
      const auto samples = read(it.id, file);
      REQUIRE(samples.size() == 2);
      CHECK(samples[1].error == "");
      CHECK(last_part(samples[1]) == it.prompt);
      CHECK(samples[1].answer == it.answer);
      CHECK((samples[1].messages.size() == 2) == !std::string(it.system).empty());
      if (!samples[1].messages.empty()) CHECK(samples[1].messages[0].parts[0].second == it.system);
    }
  }
}

TEST_CASE("published sets: bad records are named, and reading goes on behind them") {
  struct Case {
    const char *id, *record, *sentence;
  };
  const Case cases[] = {
      {"openorca", R"({"id":"1","prompt":"p"})", R"("question" is missing; found: id, prompt)"},
      {"openorca", R"({"question":"q"})", R"("response" is missing; found: question)"},
      {"openorca", R"({"question":" ","response":"r"})", "empty prompt"},
      {"openorca", R"({"question":null,"response":"r"})", R"("question" is empty)"},
      {"openorca", R"({"question":"q","response":4})", "the answer must be text (got 4)"},
      {"cnn_dailymail", R"({"text":"t","highlights":"h"})",
       R"("article" is missing; found: text, highlights)"},
      {"cnn_dailymail", R"({"article":["t"],"highlights":"h"})",
       "a token id must be a whole number from 0 (got \"t\")"},
      {"code_alpaca", R"({"input":"i","output":"o"})", R"("instruction" is missing; found: input, output)"},
      {"code_alpaca", R"({"instruction":"i","input":3,"output":"o"})", "the input must be text (got 3)"},
      {"code_alpaca", "[]", "must be an object (got a list)"},
      {"billsum", R"({"text":"t","summary":"s","title":"u"})",
       R"("conversations" is missing; found: text, summary, title)"},
      {"quac", R"({"context":"c"})", R"("questions" is missing; found: context)"},
      {"quac", R"({"context":"c","questions":[]})", R"("questions" is empty)"},
      {"quac", R"({"context":"c","questions":[1]})", "a question must be text (got 1)"},
      {"quac", R"({"context":"c","questions":["\n"]})", "empty prompt"},
      {"quac", R"({"questions":["q"]})", R"("context" is missing; found: questions)"},
      {"quac", R"({"context":3,"questions":["q"]})", R"("context" must be text (got 3))"},
      {"quac", R"({"paragraphs":3})", R"("paragraphs" must be a list (got 3))"},
      {"quac", R"({"paragraphs":[3]})", "paragraph 1: must be an object (got 3)"},
      {"quac", R"({"paragraphs":[{"context":"c"}]})", R"(paragraph 1: "qas" is missing; found: context)"},
      {"quac", R"({"paragraphs":[{"context":"c","qas":[]}]})", R"(paragraph 1: "qas" is empty)"},
      {"quac", R"({"paragraphs":[{"context":"c","qas":["q"]}]})",
       R"(paragraph 1: a question must be an object (got "q"))"},
      {"quac", R"({"paragraphs":[{"context":"c","qas":[{"id":1}]}]})",
       R"(paragraph 1: "question" is missing; found: id)"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.id);
    CAPTURE(it.record);
    const std::string good =
        R"({"question":"q","response":"r","article":"a","highlights":"h","instruction":"i","output":"o",)"
        R"("conversations":[{"from":"human","value":"v"}],"context":"c","questions":["q"]})";
    const Folder folder;
    const std::string path = folder.write("d.json", "[" + good + "," + it.record + "," + good + "]");
    Dataset dataset(it.id, reading(path));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == 3);
    CHECK(samples[0].error == "");
    CHECK(samples[1].status == TKM_E_INPUT);
    CHECK(samples[1].error == path + ": record 2: " + it.sentence);
    CHECK(samples[2].error == "");
  }
}

TEST_CASE("cnn_dailymail: the instruction can be changed or left out") {
  const std::string row = R"({"article":"Rain.","highlights":"h"})";
  CHECK(read("cnn_dailymail", row, R"(,"instruction":"In one word:")")[0].text == "In one word:\n\nRain.");
  CHECK(read("cnn_dailymail", row, R"(,"instruction":"")")[0].text == "Rain.");
}

std::string article(std::string_view question) {
  return R"({"title":"T","background":"B [1]","section_title":"S","paragraphs":[{"context":"It rained. CANNOTANSWER","id":"C_1","qas":[
    {"question":")" +
         std::string(question) + R"(","id":"C_1_q#0","followup":"y","yesno":"x",
     "answers":[{"text":"yes","answer_start":0}],"orig_answer":{"text":"It rained","answer_start":0}},
    {"question":"And then?","id":"C_1_q#1","answers":[{"text":"n","answer_start":1}]}]}]})";
}

TEST_CASE("quac: SQuAD's form, one object with the articles in \"data\"") {
  const std::string articles = "[" + article("q1") + ",\n" + article("q2") + "]";
  for (const std::string& file :
       {"{\"data\":" + articles + "}", "{ \"data\" : " + articles + " , \"version\": \"v0.2\"}\n",
        "{\"version\":\"v0.2\",\"data\":" + articles + "}", articles}) {
    CAPTURE(file.substr(0, 40));
    const auto samples = read("quac", file);
    REQUIRE(samples.size() == 2);
    CHECK(samples[0].error == "");
    CHECK(samples[0].text == "It rained. CANNOTANSWER\n\nq1");
    CHECK(samples[0].answer == "It rained");
    CHECK(samples[1].text == "It rained. CANNOTANSWER\n\nq2");
  }
  const auto plain = read("quac", R"({"data":[{"paragraphs":[
    {"context":"c1","qas":[{"question":"q","answers":[{"text":"a"},{"text":"b"}]}]},
    {"context":"c2","qas":[{"question":"q","answers":[]}]}]}]})");
  REQUIRE(plain.size() == 2);
  CHECK(plain[0].answer == "a");
  CHECK(plain[1].text == "c2\n\nq");
  CHECK(plain[1].answer == "");
}

TEST_CASE("quac: an object around the articles that is cut or goes on") {
  struct Case {
    std::string bytes, sentence;
  };
  const std::string one = article("q");
  const std::string size = std::to_string(one.size());
  const Case cases[] = {
      {"{\"data\":[" + one + "]", ": ends after record 1 (byte "},
      {"{\"data\":[" + one, ": ends after record 1 (byte "},
      {"{\"data\":[" + one + "],\"version\":", ": ends after record 1 (byte "},
      {"{\"data\":[" + one + "]} x", ": more follows after the end of the array (byte "},
  };
  for (const Case& it : cases) {
    const Folder folder;
    const std::string path = folder.write("q.json", it.bytes);
    Dataset dataset("quac", reading(path));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == 2);
    CHECK(samples[0].error == "");
    CHECK(samples[1].error.starts_with(path + it.sentence));
  }
}

}  // namespace

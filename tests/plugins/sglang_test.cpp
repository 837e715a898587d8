// The requests that the processor sglang makes, byte for byte, what it refuses, and what it learns of a
// server.
#include <doctest/doctest.h>

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <string>

#include "processor_harness.hpp"
#include "prompt.hpp"

using namespace processor_test;

namespace {

Processor make(std::string_view options) {
  return {tkm_module_v1()->components[0], options};
}

constexpr auto kGenerate = R"({"api":"generate"})", kChat = R"({"api":"chat"})";

std::string page(const std::string& name) {
  const std::string raw = read_text(TOKOMETER_SOURCE_DIR "/plugins/sglang/fixtures/pages/" + name + ".res");
  return raw.substr(raw.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("a request to /generate") {
  Prompt prompt;
  const Request it = make(kGenerate).encode(prompt.text("Hi").it);
  CHECK(it.status == TKM_OK);
  CHECK(it.path == "/generate");
  CHECK(it.body == R"({"text":"Hi","sampling_params":{"max_new_tokens":8},"stream":true})");
}

TEST_CASE("all that /generate can be told") {
  Prompt prompt;
  prompt.it.output_mode = TKM_OUTPUT_EXACT;
  prompt.it.cache_salt = tkm::str("s1");
  prompt.it.adapter = tkm::str("lora");
  prompt.it.choices = 2;
  prompt.it.reply = TKM_REPLY_WHOLE;
  prompt.it.sampling = tkm::str(R"({"temperature":0,"seed":7,"min_tokens":2})");
  prompt.it.extra = tkm::str(R"({"priority":1})");
  CHECK(make(kGenerate).encode(prompt.tokens().it).body ==
        R"({"input_ids":[1,22,333],"sampling_params":{"max_new_tokens":8,"ignore_eos":true,"n":2,)"
        R"("temperature":0,"sampling_seed":7,"min_new_tokens":2},"stream":false,"lora_path":"lora",)"
        R"("extra_key":"s1","priority":1})");
}

TEST_CASE("an adapter stands behind the model's name; exact needs no min_tokens") {
  Prompt prompt;
  prompt.it.adapter = tkm::str("lora");
  prompt.it.output_mode = TKM_OUTPUT_EXACT;
  CHECK(make(kChat).encode(prompt.text("x").it).body ==
        R"({"model":"m:lora","messages":[{"role":"user","content":"x"}],"max_completion_tokens":8,)"
        R"("ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}})");
}

TEST_CASE("a request to /v1/rerank names neither model nor adapter, which the server would not read") {
  const tkm_part texts[] = {{TKM_PART_TEXT, 0, {}, tkm::str("the sea")},
                            {TKM_PART_TEXT, 0, {}, tkm::str("a ship")},
                            {TKM_PART_TEXT, 0, {}, tkm::str("the moon")}};
  const tkm_message messages[] = {{tkm::str("user"), {}, &texts[0], 1},
                                  {tkm::str("user"), {}, &texts[1], 1},
                                  {tkm::str("user"), {}, &texts[2], 1}};
  Prompt prompt;
  prompt.it.task = TKM_TASK_RANK;
  prompt.it.reply = TKM_REPLY_WHOLE;
  prompt.it.messages = messages;
  prompt.it.message_count = 3;
  prompt.it.extra = tkm::str(R"({"return_documents":false})");
  const Request it = make(R"({"api":"rerank"})").encode(prompt.it);
  CHECK(it.path == "/v1/rerank");
  CHECK(it.body == R"({"query":"the sea","documents":["a ship","the moon"],"return_documents":false})");
  prompt.it.adapter = tkm::str("lora");
  CHECK(make(R"({"api":"rerank"})").encode(prompt.it).error ==
        "an adapter: api: rerank of this server has none");
  const std::string profile = make(R"({"api":"rerank"})").profile();
  CHECK(profile.find("task.rank") != profile.npos);
  CHECK(profile.find("route.") == profile.npos);
}

TEST_CASE("refused") {
  struct Row {
    const char* options;
    void (*change)(Prompt&);
    tkm_status status;
    const char* sentence;
  };
  const Row rows[] = {
      {kGenerate, [](Prompt& p) { p.it.message_count = 0; }, TKM_E_UNSUPPORTED,
       "api: generate takes one text"},
      {kGenerate, [](Prompt& p) { p.it.output_tokens = -1; }, TKM_E_UNSUPPORTED, "128 tokens"},
      {kGenerate, [](Prompt& p) { p.it.task = TKM_TASK_EMBED; }, TKM_E_UNSUPPORTED, "generates text"},
      {kGenerate, [](Prompt& p) { p.it.sampling = tkm::str(R"({"n":2})"); }, TKM_E_INPUT, "sets \"n\""},
      {kGenerate, [](Prompt& p) { p.it.sampling = tkm::str(R"({"logprobs":true})"); }, TKM_E_UNSUPPORTED,
       "return_logprob"},
      {kGenerate, [](Prompt& p) { p.it.sampling = tkm::str("[]"); }, TKM_E_INPUT, "no JSON object"},
      {kGenerate, [](Prompt& p) { p.it.extra = tkm::str(R"({"stream":false})"); }, TKM_E_INPUT,
       "extra sets \"stream\""},
      {R"({"api":"generate","vocab_size":333})", [](Prompt& p) { p.tokens(); }, TKM_E_INPUT,
       "token id 333 is outside the vocabulary of 333 tokens"},
      {R"({"api":"completions","vocab_size":333})", [](Prompt& p) { p.tokens(); }, TKM_E_INPUT,
       "token id 333"},
      {kGenerate, [](Prompt& p) { p.tokens(), p.ids[1] = -1; }, TKM_E_INPUT, "token id -1"}};
  for (const Row& row : rows) {
    CAPTURE(row.sentence);
    Prompt prompt;
    row.change(prompt);
    const Request it = make(row.options).encode(prompt.it);
    CHECK(it.status == row.status);
    CHECK(it.error.find(row.sentence) != it.error.npos);
    CHECK(it.path.empty());
  }
}

TEST_CASE("the vocabulary that a server tells counts, wherever it tells it") {
  Processor it = make(kGenerate);
  Prompt prompt;
  CHECK(it.encode(prompt.tokens().it).status == TKM_OK);
  it.learn("server_info", page("server_info"));  // a real one says nothing of it
  it.learn("model_info", "not JSON");
  CHECK(it.encode(prompt.it).status == TKM_OK);
  it.learn("model_info", R"({"vocab_size":333})");
  CHECK(it.encode(prompt.it).status == TKM_E_INPUT);
}

TEST_CASE("a server without ids in its events, as it said to be: all text so far, or what is new") {
  const std::string body =
      "data: {\"text\":\"a\",\"meta_info\":{\"completion_tokens\":1,\"finish_reason\":null}}\n\n"
      "data: {\"text\":\"aa\",\"meta_info\":{\"completion_tokens\":2,\"finish_reason\":\"stop\"}}\n\n";
  Processor whole_text = make(kGenerate), new_text = make(kGenerate);
  new_text.learn("server_info", R"({"incremental_streaming_output":true})");
  const std::string start = "delta 0 text 1 server a\ndelta 0 text 1 server ";
  CHECK(whole_text.events({.body = body}, whole()).starts_with(start + "a\nfinish 0 stop stop\n"));
  CHECK(new_text.events({.body = body}, whole()).starts_with(start + "aa\nfinish 0 stop stop\n"));
}

TEST_CASE("replies that cannot be") {
  struct Row {
    const char *body, *said;
  };
  const Row rows[] = {{"data: {}\n\n", "error semantics -1 no meta_info\n"},
                      {"data: {\"index\":1,\"text\":\"\",\"meta_info\":{}}\n\n",
                       "error semantics -1 a choice with an index that was not asked for\n"},
                      {"data: {\"text\":\"\",\"meta_info\":{\"id\":\"a\",\"completion_tokens\":0}}\n\n"
                       "data: {\"text\":\"\",\"meta_info\":{\"id\":\"b\",\"completion_tokens\":0}}\n\n",
                       "began\nerror semantics -1 an event with another id: part of another reply\n"}};
  for (const Row& row : rows) CHECK(make(kGenerate).events({.body = row.body}, pieces_of(1)) == row.said);
}

TEST_CASE("every quantity of the profile has a sample on recorded metrics pages, by its newest name") {
  const std::string metrics = page("metrics");
  tkm::JsonDocument root;
  REQUIRE(tkm::parse_json(make(kChat).profile(), root));
  const tkm::Json& quantities = root["telemetry"][0]["quantities"];
  CHECK(quantities.MemberCount() > 10);
  for (auto it = quantities.MemberBegin(); it != quantities.MemberEnd(); ++it) {
    const std::string metric(tkm::get_string(it->value[0], "metric"));
    CAPTURE(metric);
    const bool is_there = metrics.find('\n' + metric + '{') != metrics.npos ||
                          metrics.find('\n' + metric + "_count{") != metrics.npos;
    CHECK(is_there == (metric != "sglang:num_retracted_requests_total"));  // appears with the first one
  }
}

// /v1/responses, /v1/embeddings and /v1/rerank: recorded replies, wherever they are cut, give the events of
// the independent reader (other_apis.py); requests byte for byte, and what is refused with a sentence.
#include <doctest/doctest.h>

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <string>
#include <vector>

#include "processor_harness.hpp"
#include "prompt.hpp"
#include "standard/openai.hpp"

using namespace processor_test;

namespace {

constexpr auto kResponses = R"({"api":"responses"})", kEmbeddings = R"({"api":"embeddings"})",
               kRerank = R"({"api":"rerank"})";

Processor vllm(std::string_view options) {
  return {tkm_module_v1()->components[0], options};
}
Processor openai(std::string_view options) {
  return {standard::openai_processor(), options};
}

void play_all(Processor& processor, const std::string& folder, size_t at_least) {
  const auto fixtures = read_fixtures(TOKOMETER_SOURCE_DIR "/plugins/vllm/fixtures/" + folder);
  CHECK(fixtures.size() >= at_least);
  check_in_all_cuts(processor, fixtures);
}

// Inputs, or a query and its documents.
struct Inputs {
  std::array<tkm_part, 3> parts{tkm_part{TKM_PART_TEXT, 0, {}, tkm::str("a \"q\"")},
                                tkm_part{TKM_PART_TEXT, 0, {}, tkm::str("one")},
                                tkm_part{TKM_PART_TEXT, 0, {}, tkm::str("two")}};
  std::array<tkm_message, 3> messages{tkm_message{tkm::str("user"), {}, &parts[0], 1},
                                      tkm_message{tkm::str("user"), {}, &parts[1], 1},
                                      tkm_message{tkm::str("user"), {}, &parts[2], 1}};
  Prompt prompt;

  explicit Inputs(int32_t task) {
    prompt.it.task = task;
    prompt.it.reply = TKM_REPLY_WHOLE;
    prompt.it.messages = messages.data();
    prompt.it.message_count = messages.size();
  }
};

Response whole_reply(const std::string& body, uint32_t inputs) {
  return {
      .is_stream = false, .inputs = inputs, .model = "m", .content_type = "application/json", .body = body};
}

}  // namespace

TEST_CASE("recorded and made replies of /v1/responses, in all cuts") {
  Processor processor = vllm(kResponses);
  play_all(processor, "responses", 20);
}

TEST_CASE("the processor openai reads them alike") {
  for (const Fixture& it : read_fixtures(TOKOMETER_SOURCE_DIR "/plugins/vllm/fixtures/responses")) {
    if (it.expected.find("metric ") != it.expected.npos) continue;  // vLLM's own numbers
    CAPTURE(it.name);
    CHECK(openai(kResponses).events(it.response, whole()) == it.expected);
  }
}

TEST_CASE("embeddings and rankings, in all cuts") {
  Processor embeds = vllm(kEmbeddings), ranks = vllm(kRerank);
  play_all(embeds, "embeddings", 3);
  play_all(ranks, "rerank", 1);
}

TEST_CASE("each api has the features of its own") {
  struct Row {
    const char* api;
    std::vector<std::string> has, has_not;
  };
  const Row rows[] = {
      {kResponses,
       {"reply.stream", "output.exact", "channel.tools", "cache.salt"},
       {"choices.many", "form.tokens", "task.embed"}},
      {kEmbeddings,
       {"task.embed", "form.tokens", "reply.whole"},
       {"task.rank", "reply.stream", "output.exact", "cache.salt"}},
      {kRerank, {"task.rank", "form.chat"}, {"task.embed", "form.text", "form.tokens", "reply.stream"}},
      {"{}", {"choices.many", "reply.stream"}, {"task.embed", "task.rank"}}};
  for (const Row& row : rows) {
    const std::string profile = vllm(row.api).profile();
    CAPTURE(profile);
    for (const std::string& feature : row.has) CHECK(profile.find('"' + feature + '"') != profile.npos);
    for (const std::string& feature : row.has_not) CHECK(profile.find('"' + feature + '"') == profile.npos);
  }
}

TEST_CASE("a request to /v1/responses") {
  Prompt prompt;
  const Request it = openai(kResponses).encode(prompt.it);
  CHECK(it.status == TKM_OK);
  CHECK(it.path == "/v1/responses");
  CHECK(it.headers.at(1).second == "text/event-stream");
  CHECK(it.body == R"({"model":"m","input":[{"role":"user","content":"Hi \"you\"\n"}],"max_output_tokens":8,)"
                   R"("stream":true,"store":false})");
}

TEST_CASE("all that vLLM's /v1/responses can be told") {
  Prompt prompt;
  prompt.it.output_mode = TKM_OUTPUT_EXACT;
  prompt.it.cache_salt = tkm::str("s1");
  prompt.it.adapter = tkm::str("lora");
  prompt.it.reply = TKM_REPLY_WHOLE;
  prompt.it.sampling = tkm::str(R"({"temperature":0,"top_k":5})");
  prompt.it.extra = tkm::str(R"({"priority":1})");
  CHECK(vllm(kResponses).encode(prompt.text("x").it).body ==
        R"({"model":"lora","input":"x","max_output_tokens":8,"ignore_eos":true,"stream":false,"store":false,)"
        R"("cache_salt":"s1","temperature":0,"top_k":5,"priority":1})");
}

TEST_CASE("what /v1/responses cannot say is refused") {
  struct Row {
    std::string sentence;
    void (*change)(tkm_prompt&);
  };
  const Row rows[] = {
      {"several choices: api: responses makes one", [](tkm_prompt& it) { it.choices = 2; }},
      {"api: responses takes no token ids: use api: completions",
       [](tkm_prompt& it) { it.form = TKM_FORM_TOKENS; }},
      {"a cache salt: OpenAI's API has none", [](tkm_prompt& it) { it.cache_salt = tkm::str("s"); }},
      {"an exact output length: OpenAI's API cannot ask for it",
       [](tkm_prompt& it) { it.output_mode = TKM_OUTPUT_EXACT; }},
      {"api: responses generates text, nothing else", [](tkm_prompt& it) { it.task = TKM_TASK_EMBED; }},
      {"extra sets \"store\", which the processor sets itself: use its option or the request's own keys",
       [](tkm_prompt& it) { it.extra = tkm::str(R"({"store":true})"); }},
      {"sampling \"seed\" is not of OpenAI's API: if the server takes it, put it in extra",
       [](tkm_prompt& it) { it.sampling = tkm::str(R"({"seed":1})"); }}};
  for (const Row& row : rows) {
    Prompt prompt;
    row.change(prompt.it);
    const Request it = openai(kResponses).encode(prompt.it);
    CHECK(it.status < 0);
    CHECK(it.error == row.sentence);
  }
}

TEST_CASE("requests for embeddings and rankings") {
  Inputs embed(TKM_TASK_EMBED), rank(TKM_TASK_RANK);
  embed.prompt.it.extra = tkm::str(R"({"encoding_format":"base64"})");
  const Request embeds = openai(kEmbeddings).encode(embed.prompt.it),
                ranks = vllm(kRerank).encode(rank.prompt.it);
  CHECK(embeds.path == "/v1/embeddings");
  CHECK(embeds.body == R"({"model":"m","input":["a \"q\"","one","two"],"encoding_format":"base64"})");
  CHECK(ranks.path == "/v1/rerank");
  CHECK(ranks.body == R"({"model":"m","query":"a \"q\"","documents":["one","two"]})");
  CHECK(vllm(kEmbeddings).encode(embed.prompt.text("x").it).body ==
        R"({"model":"m","input":"x","encoding_format":"base64"})");
  CHECK(vllm(kEmbeddings).encode(embed.prompt.tokens().it).body ==
        R"({"model":"m","input":[1,22,333],"encoding_format":"base64"})");
}

TEST_CASE("what they cannot say is refused") {
  Inputs rank(TKM_TASK_RANK), embed(TKM_TASK_EMBED);
  rank.prompt.it.message_count = 1;
  CHECK(vllm(kRerank).encode(rank.prompt.it).error.starts_with("api: rerank takes a query and documents"));
  CHECK(vllm(kRerank).encode(embed.prompt.it).error == "api: rerank does this and nothing else");
  embed.prompt.it.sampling = tkm::str(R"({"temperature":0})");
  CHECK(vllm(kEmbeddings).encode(embed.prompt.it).status < 0);
}

TEST_CASE("replies that hold not what was asked for") {
  const std::string two =
      R"({"model":"m","data":[{"embedding":[1.5]},{"embedding":"AADUvg=="}],"usage":{"prompt_tokens":3,"total_tokens":3}})";
  CHECK(vllm(kEmbeddings).events(whole_reply(two, 2), whole()) == "usage 3 -1 0 -1\nfinish 0 stop \ndone\n");
  CHECK(vllm(kEmbeddings).events(whole_reply(two, 3), whole()) ==
        "error semantics -1 2 results for 3 inputs\n");
  CHECK(vllm(kEmbeddings).events(whole_reply(R"({"data":[{"embedding":[]}]})", 1), whole()) ==
        "error semantics -1 a result without a value\n");
  CHECK(vllm(kRerank).events(whole_reply(R"({"results":[{"index":0}]})", 2), whole()) ==
        "error semantics -1 a result without a value\n");
  CHECK(vllm(kEmbeddings).events(whole_reply(R"({"choices":[]})", 1), whole()) ==
        "error semantics -1 no list of results\n");
}

TEST_CASE("an event of another response inside this one") {
  const std::string body =
      "event: response.created\ndata: "
      "{\"type\":\"response.created\",\"response\":{\"id\":\"a\",\"status\":\"in_progress\"}}\n\n"
      "event: response.completed\ndata: "
      "{\"type\":\"response.completed\",\"response\":{\"id\":\"b\",\"status\":\"completed\"}}\n\n";
  CHECK(vllm(kResponses).events({.body = body}, whole()) ==
        "began\nerror semantics -1 an event with another id: part of another reply\n");
  CHECK(vllm(kResponses).events({.body = "data: {\"choices\":[]}\n\n"}, whole()) ==
        "error semantics -1 an event without a type\n");
}

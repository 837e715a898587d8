// The requests that the processors make, byte for byte, and what they refuse with a sentence.
#include <doctest/doctest.h>

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <string>

#include "processor_harness.hpp"
#include "prompt.hpp"
#include "standard/openai.hpp"

using namespace processor_test;

namespace {

Processor make_vllm(std::string_view options) {
  return {tkm_module_v1()->components[0], options};
}
Processor make_openai(std::string_view options) {
  return {standard::openai_processor(), options};
}

constexpr auto kChat = R"({"api":"chat"})";
constexpr auto kCompletions = R"({"api":"completions"})";

}  // namespace

TEST_CASE("a chat, streamed") {
  Prompt prompt;
  const Request it = make_openai(kChat).encode(prompt.it);
  CHECK(it.status == TKM_OK);
  CHECK(it.method == "POST");
  CHECK(it.path == "/v1/chat/completions");
  CHECK(it.headers == std::vector<std::pair<std::string, std::string>>{{"content-type", "application/json"},
                                                                       {"accept", "text/event-stream"}});
  CHECK(it.body ==
        R"({"model":"m","messages":[{"role":"user","content":"Hi \"you\"\n"}],"max_completion_tokens":8,)"
        R"("stream":true,"stream_options":{"include_usage":true}})");
}

TEST_CASE("options of the processors") {
  Prompt prompt;
  CHECK(
      make_openai(R"({"token_limit_field":"max_tokens","usage":false})").encode(prompt.it).body ==
      R"({"model":"m","messages":[{"role":"user","content":"Hi \"you\"\n"}],"max_tokens":8,"stream":true})");
  CHECK(make_vllm(R"({"running_usage":true,"token_ids":true})").encode(prompt.text("x").it).body ==
        R"({"model":"m","messages":[{"role":"user","content":"x"}],"max_completion_tokens":8,"stream":true,)"
        R"("stream_options":{"include_usage":true,"continuous_usage_stats":true},"return_token_ids":true})");
}

TEST_CASE("whole replies ask for no usage") {
  Prompt prompt;
  prompt.it.reply = TKM_REPLY_WHOLE;
  const Request it = make_openai(kCompletions).encode(prompt.text("x").it);
  CHECK(it.path == "/v1/completions");
  CHECK(it.headers.at(1).second == "application/json");
  CHECK(it.body == R"({"model":"m","prompt":"x","max_tokens":8,"stream":false})");
}

TEST_CASE("vLLM: exact length, salt, adapter, choices, sampling, extra") {
  Prompt prompt;
  prompt.it.output_mode = TKM_OUTPUT_EXACT;
  prompt.it.cache_salt = tkm::str("s1");
  prompt.it.adapter = tkm::str("lora");
  prompt.it.choices = 2;
  prompt.it.sampling = tkm::str(R"({"temperature":0, "top_k":5})");
  prompt.it.extra = tkm::str(R"({"priority":1})");
  CHECK(
      make_vllm(kCompletions).encode(prompt.tokens().it).body ==
      R"({"model":"lora","prompt":[1,22,333],"max_tokens":8,"min_tokens":8,"ignore_eos":true,"n":2,"stream":true,)"
      R"("stream_options":{"include_usage":true},"cache_salt":"s1","temperature":0, "top_k":5,"priority":1})");
}

TEST_CASE("no limit") {
  Prompt prompt;
  prompt.it.output_tokens = -1;
  prompt.it.model = {};
  CHECK(
      make_vllm(kChat).encode(prompt.text("x").it).body ==
      R"({"messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}})");
}

TEST_CASE("messages of all kinds") {
  Prompt prompt;
  const tkm_part two[] = {{TKM_PART_TEXT, 0, {}, tkm::str("a")}, {TKM_PART_TEXT, 0, {}, tkm::str("b")}};
  const tkm_message messages[] = {
      {tkm::str("system"), {}, two, 2},
      {tkm::str("assistant"), tkm::str(R"({"tool_calls":[{"id":"t"}]})"), nullptr, 0},
      {tkm::str("tool"), tkm::str(R"({"tool_call_id":"t"})"), two, 1}};
  prompt.it.messages = messages;
  prompt.it.message_count = 3;
  const std::string body = make_vllm(kChat).encode(prompt.it).body;
  CHECK(
      body.find(
          R"("messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
          R"({"role":"assistant","content":null,"tool_calls":[{"id":"t"}]},)"
          R"({"role":"tool","content":"a","tool_call_id":"t"}])") != body.npos);
}

TEST_CASE("hard prompts are valid JSON, the same each time") {
  Processor processor = make_vllm(kChat);
  const std::string prompts[] = {
      "", "\"\\", std::string("a\0b", 3), std::string(1 << 20, 'x'), "\xFF\xC0", "\xF0\x9F\x98\x80"};
  for (const std::string& words : prompts) {
    Prompt prompt;
    const std::string body = processor.encode(prompt.text(words).it).body;
    tkm::JsonDocument root;
    CHECK(tkm::parse_json(body, root));
    CHECK(tkm::invalid_utf8_at(body) == body.npos);
    CHECK(processor.encode(prompt.it).body == body);
  }
}

TEST_CASE("what cannot be said is refused") {
  struct Row {
    std::string_view options;
    void (*change)(Prompt&);
    tkm_status vllm, openai;  // 0: taken
    std::string sentence;     // a part of it
  };
  const Row rows[] = {
      {kChat, [](Prompt& p) { p.tokens(); }, TKM_E_UNSUPPORTED, TKM_E_UNSUPPORTED, "use api: completions"},
      {kChat, [](Prompt& p) { p.it.task = TKM_TASK_EMBED; }, TKM_E_UNSUPPORTED, TKM_E_UNSUPPORTED,
       "generates text"},
      {kChat, [](Prompt& p) { p.part.kind = TKM_PART_IMAGE; }, TKM_E_UNSUPPORTED, TKM_E_UNSUPPORTED,
       "no images"},
      {kCompletions, [](Prompt& p) { p.it.message_count = 0; }, TKM_E_UNSUPPORTED, TKM_E_UNSUPPORTED,
       "conversation of 0 messages"},
      {kChat, [](Prompt& p) { p.it.output_mode = TKM_OUTPUT_EXACT; }, TKM_OK, TKM_E_UNSUPPORTED,
       "exact output length"},
      {kChat, [](Prompt& p) { p.it.output_mode = TKM_OUTPUT_EXACT, p.it.output_tokens = -1; }, TKM_E_INPUT,
       TKM_E_INPUT, "request.output_tokens"},
      {kCompletions, [](Prompt& p) { p.it.output_tokens = -1; }, TKM_E_UNSUPPORTED, TKM_E_UNSUPPORTED,
       "16 tokens"},
      {kChat, [](Prompt& p) { p.it.cache_salt = tkm::str("s"); }, TKM_OK, TKM_E_UNSUPPORTED, "cache salt"},
      {kChat, [](Prompt& p) { p.it.sampling = tkm::str(R"({"top_k":1})"); }, TKM_OK, TKM_E_UNSUPPORTED,
       "put it in extra"},
      {kChat, [](Prompt& p) { p.it.sampling = tkm::str("[1]"); }, TKM_E_INPUT, TKM_E_INPUT,
       "sampling is no JSON object: [1]"},
      {kChat, [](Prompt& p) { p.it.extra = tkm::str("{x"); }, TKM_E_INPUT, TKM_E_INPUT,
       "extra is no JSON object: {x"},
      {kChat, [](Prompt& p) { p.it.extra = tkm::str(R"({"stream":false})"); }, TKM_E_INPUT, TKM_E_INPUT,
       "extra sets \"stream\""},
      {kChat, [](Prompt& p) { p.it.extra = tkm::str(R"({"max_tokens":1})"); }, TKM_E_INPUT, TKM_E_INPUT,
       "extra sets \"max_tokens\""},
      {kChat, [](Prompt& p) { p.it.sampling = tkm::str(R"({"n":3})"); }, TKM_E_INPUT, TKM_E_INPUT,
       "sampling sets \"n\""},
      {kChat, [](Prompt& p) { p.it.sampling = p.it.extra = tkm::str(R"({"seed":3})"); }, TKM_E_INPUT,
       TKM_E_INPUT, "extra sets \"seed\", which sampling sets already"},
      {kChat, [](Prompt& p) { p.it.extra = tkm::str(R"({"ignore_eos":true,"cache_salt":"mine"})"); }, TKM_OK,
       TKM_OK, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.sentence);
    Prompt prompt;
    row.change(prompt);
    const Request of_vllm = make_vllm(row.options).encode(prompt.it),
                  of_openai = make_openai(row.options).encode(prompt.it);
    CHECK(of_vllm.status == row.vllm);
    CHECK(of_openai.status == row.openai);
    if (row.vllm != TKM_OK) CHECK(of_vllm.error.find(row.sentence) != std::string::npos);
    if (row.openai != TKM_OK) CHECK(of_openai.error.find(row.sentence) != std::string::npos);
    if (row.openai != TKM_OK) CHECK(of_openai.path.empty());  // nothing was begun
  }
}

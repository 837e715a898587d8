// The requests that the processor tgi makes, byte for byte, and what it refuses by name.
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

}  // namespace

TEST_CASE("the native routes") {
  Prompt prompt;
  const std::string body = R"({"inputs":"Hi","parameters":{"max_new_tokens":8,"details":true}})";
  CHECK(make(kGenerate).encode(prompt.text("Hi").it).path == "/generate_stream");
  CHECK(make(kGenerate).encode(prompt.it).body == body);
  prompt.it.reply = TKM_REPLY_WHOLE;
  CHECK(make(kGenerate).encode(prompt.it).path == "/generate");
  CHECK(make(kGenerate).encode(prompt.it).body == body);
}

TEST_CASE("sampling in TGI's words") {
  struct Row {
    const char *sampling, *parameters;
  };
  const Row rows[] = {
      {R"({"temperature":0})", R"("do_sample":false)"},
      {R"({"temperature":0.5,"top_p":1})", R"("do_sample":true,"temperature":0.5)"},
      {R"({"top_p":0.9,"stop":"x","seed":3})", R"("do_sample":true,"top_p":0.9,"stop":["x"],"seed":3)"},
      {R"({"do_sample":false,"stop":["x"]})", R"("do_sample":false,"stop":["x"])"}};
  for (const Row& row : rows) {
    Prompt prompt;
    prompt.it.adapter = tkm::str("lora");
    prompt.it.sampling = tkm::str(row.sampling);
    CHECK(make(kGenerate).encode(prompt.text("Hi").it).body ==
          R"({"inputs":"Hi","parameters":{"max_new_tokens":8,"details":true,"adapter_id":"lora",)" +
              std::string(row.parameters) + "}}");
  }
}

TEST_CASE("a chat has max_tokens; its adapter stands in the model's place") {
  Prompt prompt;
  prompt.it.adapter = tkm::str("lora");
  CHECK(make(kChat).encode(prompt.text("x").it).body ==
        R"({"model":"lora","messages":[{"role":"user","content":"x"}],"max_tokens":8,"stream":true,)"
        R"("stream_options":{"include_usage":true}})");
}

TEST_CASE("what TGI cannot do is refused by name, on every route") {
  struct Row {
    void (*change)(Prompt&);
    const char* sentence;
  };
  const Row rows[] = {{[](Prompt& p) { p.tokens(); }, "token ids"},
                      {[](Prompt& p) { p.it.output_mode = TKM_OUTPUT_EXACT; }, "an exact output length"},
                      {[](Prompt& p) { p.it.output_tokens = 1025; }, "an answer of 1025 tokens"},
                      {[](Prompt& p) { p.it.choices = 2; }, "several choices"},
                      {[](Prompt& p) { p.it.cache_salt = tkm::str("s"); }, "a cache salt"},
                      {[](Prompt& p) { p.it.sampling = tkm::str(R"({"min_p":0.1})"); }, "\"min_p\""},
                      {[](Prompt& p) { p.it.task = TKM_TASK_RANK; }, "generates text"}};
  for (const char* options : {kGenerate, kChat, R"({"api":"completions"})"}) {
    for (const Row& row : rows) {
      CAPTURE(options);
      CAPTURE(row.sentence);
      Prompt prompt;
      row.change(prompt.text("x"));
      const Request it = make(options).encode(prompt.it);
      CHECK(it.status == TKM_E_UNSUPPORTED);
      CHECK(it.error.find(row.sentence) != it.error.npos);
      CHECK(it.path.empty());
    }
  }
}

TEST_CASE("best_effort takes long answers") {
  Prompt prompt;
  prompt.it.output_tokens = 1100;
  CHECK(make(R"({"api":"generate","best_effort":true})").encode(prompt.text("x").it).status == TKM_OK);
  prompt.it.output_tokens = 1024;
  CHECK(make(kGenerate).encode(prompt.it).status == TKM_OK);
}

TEST_CASE("only natively refused: a request without a length, members that TGI would skip") {
  Prompt prompt;
  prompt.it.output_tokens = -1;
  CHECK(make(kGenerate).encode(prompt.text("x").it).error.find("request.output_tokens") != std::string::npos);
  prompt.it.output_tokens = 8;
  prompt.it.extra = tkm::str(R"({"top_k":3})");
  CHECK(make(kGenerate).encode(prompt.it).error.find("put its parameters in sampling") != std::string::npos);
  CHECK(make(kChat).encode(prompt.it).status == TKM_OK);
}

TEST_CASE("every metric of the profile stands on a recorded page") {
  const std::string page = read_text(TOKOMETER_SOURCE_DIR "/plugins/tgi/fixtures/pages/metrics.res");
  tkm::JsonDocument root;
  REQUIRE(tkm::parse_json(make(kChat).profile(), root));
  const tkm::Json& quantities = root["telemetry"][0]["quantities"];
  CHECK(quantities.MemberCount() > 7);
  for (auto it = quantities.MemberBegin(); it != quantities.MemberEnd(); ++it) {
    const std::string metric(tkm::get_string(it->value[0], "metric"));
    CAPTURE(metric);
    CHECK(page.find('\n' + metric) != page.npos);
  }
}

// Triton's generate: what a request holds follows from the model's metadata, and what it cannot hold is
// refused.
#include <doctest/doctest.h>

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <string>
#include <utility>

#include "triton/reply.hpp"
#include "triton/request.hpp"
#include "triton/tensors.hpp"

using triton::GenerateRequest;
using triton::Tensors;

namespace {

std::string metadata(std::string_view inputs, std::string_view outputs = "text_output BYTES") {
  std::string text;
  tkm::JsonWriter json(text);
  const auto list = [&](const char* key, std::string_view words) {
    json.key(key).begin_array();
    while (!words.empty()) {
      const std::string_view one = words.substr(0, words.find(','));
      const size_t blank = one.find(' ');
      json.begin_object()
          .member("name", one.substr(0, blank))
          .member("datatype", one.substr(blank + 1))
          .end_object();
      words.remove_prefix(std::min(words.size(), one.size() + 1));
    }
    json.end_array();
  };
  json.begin_object().member("name", "m");
  list("inputs", inputs);
  list("outputs", outputs);
  json.end_object();
  return text;
}

constexpr auto kTrtLlm =
    "text_input BYTES,max_tokens INT32,min_tokens INT32,stream BOOL,temperature FP32,random_seed UINT64,"
    "stop_words BYTES,bad_words BYTES,return_num_output_tokens BOOL";
constexpr auto kOld = "text_input BYTES,max_tokens INT32,min_length INT32,stream BOOL";
constexpr auto kVllm = "text_input BYTES,stream BOOL,sampling_parameters BYTES,exclude_input_in_output BOOL";
constexpr auto kLlmApi =
    "text_input BYTES,streaming BOOL,sampling_param_max_tokens INT32,sampling_param_temperature FP32";

struct Prompt {
  Prompt() {
    it.struct_size = sizeof it;
    it.form = TKM_FORM_TEXT;
    it.text = tkm::str("Hi");
    it.reply = TKM_REPLY_STREAM;
    it.choices = 1;
    it.output_tokens = 8;
  }
  tkm_prompt it{};
};

std::string body_of(std::string_view inputs, const tkm_prompt& prompt) {
  const Tensors tensors(metadata(inputs), {});
  return GenerateRequest(tensors).build(prompt);
}

template <class Call>
std::string sentence(const Call& call) {
  try {
    call();
  } catch (const tkm::Error& error) {
    return std::string(error.text());
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("the body holds the model's own tensors") {
  Prompt prompt;
  prompt.it.output_mode = TKM_OUTPUT_EXACT;
  CHECK(body_of(kTrtLlm, prompt.it) ==
        R"({"text_input":"Hi","stream":true,"max_tokens":8,"min_tokens":8,"return_num_output_tokens":true,)"
        R"("bad_words":"","stop_words":""})");
  CHECK(body_of(kOld, prompt.it) == R"({"text_input":"Hi","stream":true,"max_tokens":8,"min_length":8})");
  CHECK(body_of(kVllm, prompt.it) ==
        R"({"text_input":"Hi","stream":true,)"
        R"("sampling_parameters":"{\"max_tokens\":8,\"min_tokens\":8,\"ignore_eos\":true}",)"
        R"("exclude_input_in_output":true})");
  prompt.it.output_mode = TKM_OUTPUT_AT_MOST;
  prompt.it.reply = TKM_REPLY_WHOLE;
  CHECK(body_of(kLlmApi, prompt.it) ==
        R"({"text_input":"Hi","streaming":false,"sampling_param_max_tokens":8})");
}

TEST_CASE("sampling has OpenAI's names, the request the model's") {
  Prompt prompt;
  prompt.it.sampling = tkm::str(R"({"temperature":0,"seed":5,"stop":["a","b"]})");
  CHECK(
      body_of(kTrtLlm, prompt.it) ==
      R"({"text_input":"Hi","stream":true,"max_tokens":8,"temperature":0,"random_seed":5,"stop_words":["a","b"],)"
      R"("return_num_output_tokens":true,"bad_words":""})");
  prompt.it.sampling = tkm::str(R"({"temperature":0.5})");
  CHECK(
      body_of(kLlmApi, prompt.it) ==
      R"({"text_input":"Hi","streaming":true,"sampling_param_max_tokens":8,"sampling_param_temperature":0.5})");
  CHECK(body_of(kVllm, prompt.it).find(R"(\"temperature\":0.5)") != std::string::npos);
}

TEST_CASE("what cannot be said is refused") {
  struct Row {
    const char* inputs;
    void (*change)(tkm_prompt&);
    const char* says;
  };
  const Row rows[] = {
      {kTrtLlm, [](tkm_prompt& p) { p.sampling = tkm::str(R"({"top_k":1})"); }, "no such input"},
      {kTrtLlm, [](tkm_prompt& p) { p.sampling = tkm::str(R"({"temperature":"hot"})"); }, "which is FP32"},
      {kTrtLlm, [](tkm_prompt& p) { p.sampling = tkm::str(R"({"max_tokens":1})"); }, "sets itself"},
      {kTrtLlm, [](tkm_prompt& p) { p.extra = tkm::str(R"({"min_length":1})"); }, "Triton would ignore it"},
      {kTrtLlm, [](tkm_prompt& p) { p.extra = tkm::str(R"({"random_seed":1.5})"); }, "no whole number"},
      {kTrtLlm, [](tkm_prompt& p) { p.extra = tkm::str(R"({"stream":false})"); }, "set already"},
      {kTrtLlm, [](tkm_prompt& p) { p.extra = tkm::str("[]"); }, "extra is no JSON object"},
      {kTrtLlm, [](tkm_prompt& p) { p.choices = 2; }, "several choices"},
      {kTrtLlm, [](tkm_prompt& p) { p.output_tokens = -1; }, "request.output_tokens"},
      {kTrtLlm, [](tkm_prompt& p) { p.form = TKM_FORM_TOKENS; }, "no token ids"},
      {kTrtLlm, [](tkm_prompt& p) { p.cache_salt = tkm::str("s"); }, "cache salt"},
      {kLlmApi, [](tkm_prompt& p) { p.output_mode = TKM_OUTPUT_EXACT; }, "an exact output length"},
      {"text_input BYTES", [](tkm_prompt&) {}, "no input \"max_tokens\""},
  };
  for (const Row& row : rows) {
    Prompt prompt;
    row.change(prompt.it);
    const std::string said = sentence([&] { body_of(row.inputs, prompt.it); });
    CAPTURE(row.says);
    CAPTURE(said);
    CHECK(said.find(row.says) != std::string::npos);
  }
}

TEST_CASE("`parameters` passes, and what changes from prompt to prompt is checked again") {
  const Tensors tensors(metadata(kOld), {});
  GenerateRequest request(tensors);
  Prompt prompt;
  prompt.it.extra = tkm::str(R"({"parameters":{"priority":1}})");
  CHECK(request.build(prompt.it).ends_with(R"(,"parameters":{"priority":1}})"));
  prompt.it.extra = tkm::str(R"({"top_k":1})");
  CHECK(sentence([&] { request.build(prompt.it); }).find("top_k") != std::string::npos);
  prompt.it.extra = {};
  CHECK(request.build(prompt.it) == R"({"text_input":"Hi","stream":true,"max_tokens":8})");
}

TEST_CASE("metadata that does not fit is refused with the tensors there are") {
  struct Row {
    std::string metadata;
    triton::TensorNames given;
    const char* says;
  };
  const Row rows[] = {
      {"{", {}, "no JSON object"},
      {R"({"name":"m"})", {}, "no JSON object with \"inputs\""},
      {metadata("a INT32"), {}, "no input \"text_input\"; it has: a INT32. Name the one for the prompt"},
      {metadata("text_input INT32"), {}, "\"text_input\" as INT32, which holds no text"},
      {metadata("text_input BYTES", "OUT BYTES"), {}, "no output \"text_output\"; it has: OUT BYTES"},
      {metadata("text_input BYTES", "text_output FP32"), {}, "as FP32, which holds no text"},
      {metadata(kOld), {.prompt = "Q"}, "tensors.prompt: the model \"m\" has no input \"Q\""},
      {metadata(kOld), {.min_tokens = "stream"}, "tensors.min_tokens"},
  };
  for (const Row& row : rows) {
    const std::string said = sentence([&] { Tensors(row.metadata, row.given); });
    CAPTURE(said);
    CHECK(said.find(row.says) != std::string::npos);
  }
  CHECK(Tensors(metadata("Q BYTES", "OUT BYTES"), {.prompt = "Q", .text = "OUT"}).names().text == "OUT");
}

TEST_CASE("cumulative text: only what is new, characters whole") {
  struct Told {
    std::string text;
    int errors = 0;
  } told;
  tkm_events sink{};
  sink.struct_size = sizeof sink;
  sink.ctx = &told;
  sink.delta = [](void* ctx, const tkm_delta* delta) {
    static_cast<Told*>(ctx)->text += tkm::view(delta->text);
  };
  sink.usage = [](void*, const tkm_usage*) {};
  sink.error = [](void* ctx, int32_t, int64_t, tkm_str) { ++static_cast<Told*>(ctx)->errors; };
  sink.mark = [](void*, int32_t) {};
  sink.warn = [](void*, tkm_str, tkm_str) {};
  tkm::Events events(sink);
  triton::GenerateReply::Shared shared;
  shared.is_cumulative = true;
  triton::GenerateReply reply(shared, "m", true);
  const tkm_field type{tkm::str("content-type"), tkm::str("text/event-stream")};
  const tkm_head head{sizeof(tkm_head), 200, &type, 1};
  CHECK(reply.head(head, events) == TKM_OK);
  const auto say = [&](std::string_view text) {
    std::string body = "data: ";
    tkm::JsonWriter(body).begin_object().member("text_output", text).end_object();
    reply.data(body + "\n\n", events);
  };
  say("caf\xEF\xBF\xBD");
  CHECK(told.text == "caf");
  say("caf\xC3\xA9");
  CHECK(told.text == "caf\xC3\xA9");
  say("caf\xC3\xA9");
  say("caf\xC3\xA9 bar");
  CHECK(told.text == "caf\xC3\xA9 bar");
  CHECK(told.errors == 0);
  say("other");
  CHECK(told.errors == 1);
}

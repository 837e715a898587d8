// What leaves the program, byte for byte: the form of vLLM 0.32.0's recorded replies (ids, text and counts
// made equal).
#include <doctest/doctest.h>

#include <tokometer/json.hpp>

#include "program.hpp"

namespace tokometer::sim {
namespace {

const std::vector<std::string> kFast = {"--ttft", "2ms", "--itl", "1ms"};
constexpr std::string_view kAsk =
    R"({"messages":[{"role":"user","content":"Tell me about the sea."}],"stream":true,"max_tokens":)";

std::string ask(const std::string& rest) {
  return std::string(kAsk) + rest + "}";
}

std::vector<std::string> normal_events(const Reply& reply) {
  std::vector<std::string> events;
  for (const std::string& event : reply.events) events.push_back(normal(event));
  return events;
}

TEST_CASE("a chat stream with usage, as recorded") {
  SimProgram sim(kFast);
  const Reply reply = post(sim.port(), kChat, ask(R"(2,"stream_options":{"include_usage":true})"));
  CHECK(reply.status == 200);
  CHECK(reply.head.find("content-type: text/event-stream; charset=utf-8\r\n") != reply.head.npos);
  CHECK(reply.head.find("transfer-encoding: chunked\r\n") != reply.head.npos);
  CHECK(reply.end == Reply::End::complete);
  const std::string start =
      R"({"id":"ID","object":"chat.completion.chunk","created":0,"model":"M","choices":[)";
  CHECK(
      normal_events(reply) ==
      std::vector<std::string>{
          start +
              R"({"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null})",
          start +
              R"({"index":0,"delta":{"content":"T"},"logprobs":null,"finish_reason":null,"token_ids":null}]})",
          start +
              R"({"index":0,"delta":{"content":"T"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}]})",
          start +
              R"(],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2},"system_fingerprint":"F"})",
          "[DONE]"});
  REQUIRE(reply.chunks.size() == 5);  // one event a chunk
  for (const std::string& chunk : reply.chunks)
    CHECK((chunk.starts_with("data: ") && chunk.ends_with("\n\n")));
  CHECK(texts(reply, "content").at(0) == " r0t0 r0t1");
}

TEST_CASE("a completions stream without usage, as recorded") {
  SimProgram sim(kFast);
  const Reply reply = post(sim.port(), kCompletions, R"({"prompt":"a b","stream":true,"max_tokens":2})");
  const std::string start =
      R"({"id":"ID","object":"text_completion","created":0,"model":"M","choices":[{"index":0,"text":"T","logprobs":null,)";
  CHECK(
      normal_events(reply) ==
      std::vector<std::string>{
          start + R"("finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]})",
          start +
              R"("finish_reason":"length","stop_reason":null,"prompt_token_ids":null,"token_ids":null}],"system_fingerprint":"F"})",
          "[DONE]"});
}

TEST_CASE("whole replies") {
  SimProgram sim(kFast);
  for (const std::string_view path : {kChat, kCompletions}) {
    CAPTURE(path);
    const Reply reply =
        post(sim.port(), path,
             R"({"prompt":"a b","messages":[{"role":"user","content":"a b"}],"max_tokens":3,"n":2})");
    CHECK(reply.status == 200);
    tkm::JsonDocument json;
    REQUIRE(tkm::parse_json(reply.body, json));
    CHECK(tkm::get_string(json, "object") == (path == kChat ? "chat.completion" : "text_completion"));
    CHECK(tkm::find(json, "choices")->Size() == 2);
    CHECK(tkm::get_int(*tkm::find(json, "usage"), "completion_tokens") == 6);
    CHECK(tkm::get_int(*tkm::find(json, "usage"), "prompt_tokens") == (path == kChat ? 9 : 2));
    CHECK(tkm::get_string((*tkm::find(json, "choices"))[0], "finish_reason") == "length");
  }
}

TEST_CASE("the request id becomes the reply's id") {
  SimProgram sim(kFast);
  const Reply reply = post(sim.port(), kChat, ask("1"), "X-Request-Id: run-17\r\n");
  CHECK(reply.events.at(0).find(R"("id":"chatcmpl-run-17")") != std::string::npos);
}

TEST_CASE("modifiers by header") {
  SimProgram sim(kFast);
  const auto with = [&](const std::string& words, const std::string& rest = "6") {
    return post(sim.port(), kChat, ask(rest), "X-Tkm-Sim: " + words + "\r\n");
  };
  const Reply plain = with("usage=asked");
  CHECK(plain.events.size() == 8);
  SUBCASE("tokens_per_event: the last event has the rest") {
    const Reply reply = with("tokens_per_event=4");
    CHECK(reply.events.size() == 4);
    CHECK(texts(reply, "content").at(0) == " r1t0 r1t1 r1t2 r1t3 r1t4 r1t5");
  }
  SUBCASE("split changes no byte of the stream") {
    for (const char* words : {"split=byte", "split=seeded"}) {
      const Reply reply = with(words);
      CHECK(normal_events(reply) == normal_events(plain));
      CHECK(reply.end == Reply::End::complete);
    }
  }
  SUBCASE("usage") {
    CHECK(with("usage=last").events.size() == 9);
    CHECK(with("usage=none", R"(6,"stream_options":{"include_usage":true})").events.size() == 8);
    const Reply each = with("usage=each");
    CHECK(each.events.at(0).find(R"("completion_tokens":0)") != std::string::npos);
    CHECK(each.events.at(3).find(R"("completion_tokens":3)") != std::string::npos);
  }
  SUBCASE("first_event") {
    CHECK(with("first_event=none").events.size() == 7);
    CHECK(with("first_event=role_early").events.size() == 8);
  }
  SUBCASE("reasoning") {
    const Reply reply = with("reasoning_tokens=2");
    CHECK(texts(reply, "reasoning").at(0) == " r1t0 r1t1");
    CHECK(texts(reply, "content").at(0) == " r1t2 r1t3 r1t4 r1t5");
    const Reply both = with("reasoning_tokens=2; reasoning_field=both");
    CHECK(texts(both, "reasoning").at(0) == texts(both, "reasoning_content").at(0));
  }
  SUBCASE("crlf") {
    const Reply reply = with("crlf=true");
    CHECK(reply.events.size() == 8);
    for (const std::string& chunk : reply.chunks) CHECK(chunk.ends_with("\r\n\r\n"));
  }
  SUBCASE("comments in a silence") {
    const Reply reply = with("ttft=100ms; comments=10ms");
    CHECK(reply.body.starts_with(": keep-alive\n\n"));
    CHECK(reply.events.size() == 8);
  }
  SUBCASE("stamp=none") {
    CHECK(with("stamp=none").body.find("tkm") == std::string::npos);
  }
  SUBCASE("eos_after: stop, unless ignore_eos or min_tokens say no") {
    CHECK(with("eos_after=2").events.at(2).find(R"("finish_reason":"stop")") != std::string::npos);
    CHECK(with("eos_after=2", R"(6,"ignore_eos":true)").events.size() == 8);
    CHECK(with("eos_after=2", R"(6,"min_tokens":4)").events.size() == 6);
    CHECK(with("eos_after=2", R"(6,"min_tokens":6)").events.size() == 8);
  }
}

TEST_CASE("n > 1: choices interleave, each with its own text") {
  SimProgram sim(kFast);
  const Reply reply = post(sim.port(), kChat, ask(R"(3,"n":2,"stream_options":{"include_usage":true})"));
  CHECK(texts(reply, "content") ==
        std::map<int64_t, std::string>{{0, " r0t0 r0t1 r0t2"}, {1, " r0c1t0 r0c1t1 r0c1t2"}});
  CHECK(reply.events.size() == 2 + 6 + 2);
  CHECK(reply.events.at(8).find(R"("completion_tokens":6)") != std::string::npos);
}

TEST_CASE("prompts: lists of texts and of token ids; ids back where asked") {
  SimProgram sim(kFast);
  const Reply lists =
      post(sim.port(), kCompletions,
           R"({"prompt":["a b","c"],"max_tokens":1,"stream":true,"stream_options":{"include_usage":true}})");
  CHECK(texts(lists, "text").size() == 2);
  CHECK(lists.body.find(R"("prompt_tokens":3)") != std::string::npos);
  const Reply ids = post(
      sim.port(), kCompletions,
      R"({"prompt":[5,6,7,8],"max_tokens":2,"stream":true,"return_token_ids":true,"stream_options":{"include_usage":true}})");
  CHECK(ids.body.find(R"("prompt_tokens":4)") != std::string::npos);
  CHECK(ids.events.at(0).find(R"("token_ids":[)") != std::string::npos);
}

TEST_CASE("an answer without a limit has output_tokens tokens; the context cuts it") {
  SimProgram sim({"--ttft", "0s", "--itl", "0s", "--output-tokens", "5", "--max-model-len", "20"});
  const auto count = [](const Reply& reply) { return reply.events.size() - 1; };
  CHECK(count(post(sim.port(), kCompletions, R"({"prompt":"a","stream":true})")) == 5);
  CHECK(count(post(sim.port(), kCompletions,
                   R"({"prompt":"a a a a a a a a a a","max_tokens":20,"stream":true})")) == 10);
}

TEST_CASE("bad requests, in vLLM's words") {
  SimProgram sim({"--max-model-len", "100"});
  struct Row {
    const char* json;
    int status;
    const char* body;
  };
  const Row rows[] = {
      {R"j({"model":"nope","prompt":"a"})j", 404,
       R"j({"error":{"message":"The model `nope` does not exist. Valid aliases: sim-model.","type":"NotFoundError","param":"model","code":404}})j"},
      {R"j({"prompt":"a","max_tokens":0})j", 400,
       R"j({"error":{"message":"max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)","type":"BadRequestError","param":"max_tokens","code":400}})j"},
      {R"j({"prompt":"a","max_tokens":500})j", 400,
       R"j({"error":{"message":"max_tokens=500 cannot be greater than max_model_len=100. Please request fewer output tokens. (parameter=max_tokens, value=500)","type":"BadRequestError","param":"max_tokens","code":400}})j"},
      {R"j({"prompt":"a","n":0})j", 400,
       R"j({"error":{"message":"n must be at least 1, got 0.","type":"BadRequestError","param":null,"code":400}})j"},
      {R"j({"prompt":"a","stream_options":{"include_usage":true}})j", 400,
       R"j({"error":{"message":"Stream options can only be defined when `stream=True`. (parameter=stream_options)","type":"BadRequestError","param":"stream_options","code":400}})j"},
      {R"j({"prompt":[999999]})j", 400,
       R"j({"error":{"message":"Token id 999999 is out of vocabulary","type":"BadRequestError","param":null,"code":400}})j"},
      {R"j({"prompt":""})j", 400,
       R"j({"error":{"message":"Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)","type":"BadRequestError","param":"prompt","code":400}})j"},
      {R"j({"prompt":"a","max_tokens":"many"})j", 400,
       R"j({"error":{"message":"1 validation error:\n  {'type': 'int_parsing', 'loc': 'body.max_tokens', 'msg': 'Input should be a valid integer'}","type":"Bad Request","param":"body.max_tokens","code":400}})j"},
      {R"j({"prompt":"a",})j", 400,
       R"j({"error":{"message":"1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.14', 'msg': 'JSON decode error'}","type":"Bad Request","param":"body.14","code":400}})j"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.json);
    const Reply reply = post(sim.port(), kCompletions, row.json);
    CHECK(reply.status == row.status);
    CHECK(reply.body == row.body);
  }
}

}  // namespace
}  // namespace tokometer::sim

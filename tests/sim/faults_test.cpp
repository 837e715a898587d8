// Each failure on demand, as a client meets it.
#include <doctest/doctest.h>

#include "program.hpp"

namespace tokometer::sim {
namespace {

using End = Reply::End;
constexpr std::string_view kAsk =
    R"({"messages":[{"role":"user","content":"a"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":4})";

Reply with(SimProgram& sim, const std::string& words, int limit_ms = 5000) {
  return post(sim.port(), kChat, kAsk, "X-Tkm-Sim: " + words + "\r\n", limit_ms);
}

size_t tokens(const Reply& reply) {
  size_t count = 0;
  for (const std::string& event : reply.events) count += event.find("\"tkm\"") != event.npos ? 1 : 0;
  return count;
}

bool has(const Reply& reply, std::string_view text) {
  return reply.body.find(text) != reply.body.npos;
}

TEST_CASE("the stream's faults: tokens sent, how it ends, [DONE], what stands in it") {
  SimProgram sim({"--ttft", "1ms", "--itl", "1ms"});
  struct Row {
    const char* words;
    size_t tokens;
    End end;
    bool done;
    const char* contains;
  };
  const Row rows[] = {
      {"fault=none", 4, End::complete, true, "\"completion_tokens\":4"},
      {"error; after=2", 2, End::complete, true,
       R"(data: {"error": {"message": "simulated failure", "type": "InternalServerError")"},
      {"error; after=0; done=0; form=triton", 0, End::complete, false,
       R"(data: {"error":"simulated failure"})"},
      {"error; form=event; code=503", 0, End::complete, true, "event: error\ndata: {"},
      {"abort; after=1", 1, End::complete, true, R"("finish_reason":"abort")"},
      {"rst; after=3", 3, End::reset, false, ""},
      {"fin; after=3", 3, End::closed, false, ""},
      {"fin; after=99", 4, End::closed, false, R"("finish_reason":"length")"},
      {"rst; at=head", 0, End::reset, false, ""},
      {"fin; at=head", 0, End::closed, false, ""},
      {"cut_json; after=2", 2, End::complete, true, ""},
      {"no_done", 4, End::complete, false, ""},
      {"double_done", 4, End::complete, true, "data: [DONE]\n\ndata: [DONE]\n\n"},
      {"no_last_chunk", 4, End::closed, true, ""},
      {"empty", 0, End::complete, false, ""},
      {"done_only", 0, End::complete, true, ""},
      {"role_only", 0, End::complete, true, R"("finish_reason":"stop")"},
      {"wrong_model", 4, End::complete, true, R"("model":"another-model")"},
      {"usage_off; by=3", 4, End::complete, true, R"("completion_tokens":7)"},
      {"usage_off; by=-1", 4, End::complete, true, R"("completion_tokens":3)"},
      {"usage_zero", 4, End::complete, true, R"("completion_tokens":0)"},
      {"usage_missing", 4, End::complete, true, ""},
      {"short_output; by=3", 1, End::complete, true, R"("finish_reason":"length")"},
  };
  for (const Row& row : rows) {
    for (const char* cut : {"", "; split=byte", "; split=seeded"}) {
      const std::string words = std::string(row.words) + cut;
      CAPTURE(words);
      const Reply reply = with(sim, words);
      CHECK(tokens(reply) == row.tokens);
      CHECK(reply.end == row.end);
      CHECK(has(reply, "[DONE]") == row.done);
      CHECK(has(reply, row.contains));
    }
  }
  CHECK_FALSE(has(with(sim, "usage_missing"), "\"usage\":{"));
  CHECK_FALSE(has(with(sim, "no_finish"), "\"finish_reason\":\""));
}

TEST_CASE("replies that are no stream") {
  SimProgram sim({"--ttft", "1ms", "--itl", "1ms"});
  SUBCASE("status with its body form") {
    const Reply reply = with(sim, "status; code=429; body=flat; retry_after=7");
    CHECK(reply.status == 429);
    CHECK(reply.head.find("retry-after: 7\r\n") != reply.head.npos);
    CHECK(has(reply, R"({"object":"error","message":"simulated failure","type":"RateLimitError")"));
  }
  SUBCASE("html") {
    const Reply reply = with(sim, "html");
    CHECK(reply.status == 200);
    CHECK(reply.head.find("content-type: text/html") != reply.head.npos);
  }
  SUBCASE("gzip that was not asked for") {
    CHECK(with(sim, "gzip").head.find("content-encoding: gzip\r\n") != std::string::npos);
  }
  SUBCASE("not streamed") {
    const Reply reply = with(sim, "not_streamed");
    CHECK(reply.head.find("content-type: application/json") != reply.head.npos);
    CHECK(has(reply, R"("content":" r0t0 r0t1 r0t2 r0t3")"));
  }
  SUBCASE("an unknown word") {
    CHECK(with(sim, "fault=nope").status == 400);
  }
}

TEST_CASE("silences") {
  SimProgram sim({"--ttft", "1ms", "--itl", "1ms"});
  SUBCASE("before the head") {
    const Reply reply = with(sim, "stall; at=head", 100);
    CHECK(reply.end == End::silent);
    CHECK(reply.head.empty());
  }
  SUBCASE("before the first token") {
    const Reply reply = with(sim, "stall; at=first", 100);
    CHECK(reply.end == End::silent);
    CHECK(reply.status == 200);
    CHECK(reply.events.empty());
  }
  SUBCASE("after two tokens, for ever") {
    const Reply reply = with(sim, "stall; after=2", 100);
    CHECK(reply.end == End::silent);
    CHECK(tokens(reply) == 2);
  }
  SUBCASE("after two tokens, for a while") {
    const Reply reply = with(sim, "stall; after=2; for=50ms");
    CHECK(reply.end == End::complete);
    CHECK(tokens(reply) == 4);
  }
  SUBCASE("only comments, for ever") {
    Client client(sim.port());
    client.post(kChat, kAsk, "X-Tkm-Sim: comments_only\r\n");
    CHECK(client.read_end(5) == End::silent);
  }
}

TEST_CASE("a stall in mode model: the engine goes on, and no token is lost") {
  SimProgram sim({"--mode", "model"});
  const Reply reply = with(sim, "stall; after=1; for=100ms");
  CHECK(tokens(reply) == 4);
  CHECK(reply.end == End::complete);
}

TEST_CASE("close after the reply, announced or not") {
  SimProgram sim({"--ttft", "1ms", "--itl", "1ms"});
  for (const bool announced : {true, false}) {
    Client client(sim.port());
    client.post(kChat, kAsk, announced ? "X-Tkm-Sim: close\r\n" : "X-Tkm-Sim: close; announced=0\r\n");
    const Reply reply = client.read();
    CHECK(reply.end == End::complete);
    CHECK((reply.head.find("connection: close\r\n") != reply.head.npos) == announced);
    CHECK(client.read_end() == End::closed);
  }
}

TEST_CASE("failures by rate are the seed's choice") {
  const auto outcome = [](const char* seed) {
    SimProgram sim({"--ttft", "0s", "--itl", "0s", "--failure-rate", "0.3", "--failure", "status; code=503",
                    "--seed", seed});
    std::string out;
    Client client(sim.port());
    for (int i = 0; i < 60; ++i) {
      client.post(kCompletions, R"({"prompt":"a","max_tokens":1})");
      out += client.read().status == 503 ? 'x' : '.';
    }
    return out;
  };
  const std::string one = outcome("1");
  CHECK(one == outcome("1"));
  CHECK(one != outcome("2"));
  const auto failed = std::count(one.begin(), one.end(), 'x');
  CHECK(failed > 6);
  CHECK(failed < 36);
}

}  // namespace
}  // namespace tokometer::sim

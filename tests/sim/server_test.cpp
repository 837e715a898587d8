// Connections, pages, queues, scripts and the end of the program.
#include <doctest/doctest.h>
#include <signal.h>

#include <tokometer/json.hpp>

#include "base/file.hpp"
#include "program.hpp"

namespace tokometer::sim {
namespace {

using End = Reply::End;
constexpr std::string_view kShort = R"({"prompt":"a","max_tokens":2,"stream":true})";
const std::vector<std::string> kFast = {"--ttft", "1ms", "--itl", "1ms"};

std::vector<std::string> fast(std::initializer_list<std::string> more) {
  auto flags = kFast;
  flags.insert(flags.end(), more);
  return flags;
}

TEST_CASE("pages") {
  SimProgram sim(fast({"--adapters", "lora-a", "--max-model-len", "4096"}));
  const uint16_t port = sim.port();
  CHECK(get(port, "/health").status == 200);
  CHECK(get(port, "/health").body.empty());
  CHECK(get(port, "/version").body.find("{\"version\":\"") == 0);
  CHECK(get(port, "/load").body == "{\"server_load\":0}");
  const std::string models = get(port, "/v1/models").body;
  CHECK(models.find(R"("id":"sim-model","object":"model")") != models.npos);
  CHECK(models.find(R"("parent":"sim-model")") != models.npos);
  CHECK(models.find(R"("max_model_len":4096)") != models.npos);
  CHECK(get(port, "/nope").status == 404);
  CHECK(get(port, "/nope").body == R"({"detail":"Not Found"})");
  const Reply wrong = get(port, kChat);
  CHECK(wrong.status == 405);
  CHECK(wrong.head.find("allow: POST\r\n") != wrong.head.npos);
  CHECK(post(port, kCompletions, R"({"model":"lora-a","prompt":"a","max_tokens":1})").status == 200);
}

TEST_CASE("/tokenize counts as usage does") {
  SimProgram sim(kFast);
  const std::string
      prompt = R"("prompt":"the quick brown fox 0123456789abcdefg")",
      chat =
          R"("messages":[{"role":"user","content":"a b"},{"role":"user","content":[{"type":"text","text":"c"}]}])";
  for (const auto& [json, path] : {std::pair{prompt, kCompletions}, std::pair{chat, kChat}}) {
    tkm::JsonDocument counted, answered;
    REQUIRE(tkm::parse_json(post(sim.port(), "/tokenize", "{" + json + "}").body, counted));
    REQUIRE(tkm::parse_json(post(sim.port(), path, "{" + json + R"(,"max_tokens":1})").body, answered));
    CHECK(tkm::get_int(counted, "count") == tkm::get_int(*tkm::find(answered, "usage"), "prompt_tokens"));
    CHECK(tkm::get_int(counted, "count") == static_cast<int64_t>(tkm::find(counted, "tokens")->Size()));
  }
}

double sample(const std::string& page, const std::string& start) {
  const size_t at = page.find("\n" + start);
  REQUIRE(at != page.npos);
  return std::stod(page.substr(page.find("} ", at) + 2));
}

TEST_CASE("/metrics says what was sent") {
  SimProgram sim(kFast);
  for (int i = 0; i < 3; ++i)
    post(sim.port(), kCompletions, R"({"prompt":"a b","max_tokens":5,"stream":true})");
  post(sim.port(), kCompletions, R"({"prompt":"a b","max_tokens":5})");
  const Reply reply = get(sim.port(), "/metrics");
  CHECK(reply.head.find("content-type: text/plain; version=1.0.0; charset=utf-8\r\n") != reply.head.npos);
  CHECK(sample(reply.body, "vllm:prompt_tokens_total") == 8);
  CHECK(sample(reply.body, "vllm:generation_tokens_total") == 20);
  CHECK(sample(reply.body, "vllm:request_success_total{engine=\"0\",finished_reason=\"length\"") == 4);
  CHECK(sample(reply.body, "vllm:time_to_first_token_seconds_count") == 4);
  CHECK(sample(reply.body, "vllm:inter_token_latency_seconds_count") == 16);
  CHECK(
      sample(reply.body,
             "vllm:e2e_request_latency_seconds_bucket{engine=\"0\",model_name=\"sim-model\",le=\"+Inf\"}") ==
      4);
  CHECK(sample(reply.body, "vllm:num_requests_running") == 0);
}

TEST_CASE("an API key guards /v1 alone") {
  SimProgram sim(fast({"--api-key", "secret"}));
  CHECK(get(sim.port(), "/health").status == 200);
  const Reply refused = get(sim.port(), "/v1/models");
  CHECK(refused.status == 401);
  CHECK(refused.body == R"({"error":"Unauthorized"})");
  CHECK(get(sim.port(), "/v1/models", "Authorization: Bearer secret\r\n").status == 200);
  CHECK(get(sim.port(), "/v1/models", "Authorization: Bearer secretx\r\n").status == 401);
}

TEST_CASE("startup: 503 until it is over") {
  SimProgram sim({"--startup", "1h"});
  CHECK(get(sim.port(), "/health").status == 503);
  CHECK(post(sim.port(), kCompletions, kShort).status == 503);
  CHECK(get(sim.port(), "/version").status == 200);
}

TEST_CASE("keep-alive: requests one after the other, pipelined, and after 100-continue") {
  SimProgram sim(kFast);
  Client client(sim.port());
  for (int i = 0; i < 3; ++i) {
    client.post(kCompletions, kShort);
    CHECK(client.read().end == End::complete);
  }
  client.post(kCompletions, kShort);
  client.post(kCompletions, kShort);
  CHECK(texts(client.read(), "text").at(0) == " r3t0 r3t1");
  CHECK(texts(client.read(), "text").at(0) == " r4t0 r4t1");
  client.send(
      "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nExpect: "
      "100-continue\r\nContent-Length: " +
      std::to_string(kShort.size()) + "\r\n\r\n");
  CHECK(client.read().status == 100);
  client.send(kShort);
  CHECK(client.read().end == End::complete);
}

TEST_CASE("connections that close") {
  SUBCASE("idle") {
    SimProgram sim(fast({"--idle-close", "30ms"}));
    Client client(sim.port());
    client.post(kCompletions, kShort);
    CHECK(client.read().end == End::complete);
    CHECK(client.read_end() == End::closed);
  }
  SUBCASE("not while a request runs") {
    SimProgram sim({"--idle-close", "30ms", "--ttft", "150ms"});
    Client client(sim.port());
    for (int i = 0; i < 2; ++i) {
      client.post(kCompletions, kShort);
      CHECK(client.read().end == End::complete);
    }
  }
  SUBCASE("after so many replies") {
    SimProgram sim(fast({"--close-after", "2"}));
    Client client(sim.port());
    client.post(kCompletions, kShort);
    CHECK(client.read().end == End::complete);
    client.post(kCompletions, kShort);
    CHECK(client.read().head.find("connection: close") == std::string::npos);
    CHECK(client.read_end() == End::closed);
  }
  SUBCASE("as the client asks") {
    SimProgram sim(kFast);
    Client client(sim.port());
    client.post(kCompletions, kShort, "Connection: close\r\n");
    CHECK(client.read().head.find("connection: close\r\n") != std::string::npos);
    CHECK(client.read_end() == End::closed);
  }
  SUBCASE("what is no HTTP") {
    SimProgram sim(kFast);
    Client client(sim.port());
    client.send("nonsense\r\n\r\n");
    CHECK(client.read().status == 400);
    CHECK(client.read_end() == End::closed);
  }
}

TEST_CASE("mode model: 429 when slots and queue are full") {
  SimProgram sim({"--mode", "model", "--max-num-seqs", "1", "--queue-limit", "1"});
  const std::string_view longer = R"({"prompt":"a","max_tokens":50,"stream":true})";
  Client a(sim.port()), b(sim.port()), c(sim.port());
  a.post(kCompletions, longer);
  b.post(kCompletions, longer);
  get(sim.port(), "/load");  // both were read by now
  c.post(kCompletions, longer);
  const Reply refused = c.read();
  CHECK(refused.status == 429);
  CHECK(refused.head.find("retry-after") == std::string::npos);
  CHECK(a.read().end == End::complete);
  CHECK(b.read().end == End::complete);
}

TEST_CASE("mode instant sends everything") {
  SimProgram sim({"--mode", "instant"});
  CHECK(post(sim.port(), kCompletions, R"({"prompt":"a","max_tokens":2000,"stream":true})").events.size() ==
        2001);
}

TEST_CASE("a client that does not read costs memory, not tokens") {
  SimProgram sim({"--mode", "instant"});
  Client slow(sim.port());
  slow.post(kCompletions, R"({"prompt":"a","max_tokens":60000,"stream":true})");
  CHECK(post(sim.port(), kCompletions, kShort).end == End::complete);  // nobody waits for it
  CHECK(slow.read().events.size() == 60001);
}

TEST_CASE("mode script: a case file in three cuts, others as fixed") {
  ScratchFolder folder;
  const auto file = folder.path() / "x.case";
  REQUIRE(publish_file(file,
                       "head 200 text/event-stream\nevent {\"choices\":[]}\nwait 5ms\nrepeat 2 chunk \"data: "
                       "x\\n\\n\"\nlast\n"));
  for (const char* split : {"whole", "byte", "seeded"}) {
    CAPTURE(split);
    SimProgram sim(fast({"--mode", "script", "--script", file, "--script-every", "2", "--split", split}));
    Client plain(sim.port()), scripted(sim.port());
    for (int i = 0; i < 2; ++i) {
      scripted.post(kCompletions, kShort);
      const Reply reply = scripted.read();
      CHECK(reply.body == "data: {\"choices\":[]}\n\ndata: x\n\ndata: x\n\n");
      CHECK(reply.end == End::complete);
    }
    plain.post(kCompletions, kShort);
    CHECK(plain.read().events.size() == 3);
  }
}

TEST_CASE("mode script: at accept, with a reset") {
  ScratchFolder folder;
  const auto file = folder.path() / "x.case";
  REQUIRE(publish_file(
      file, "play on accept\nsend \"HTTP/1.1 408 Request Timeout\\r\\n\\r\\n\"\nwait 20ms\nrst\n"));
  SimProgram sim({"--mode", "script", "--script", file});
  Client client(sim.port());
  CHECK(client.read_end() == End::reset);
}

TEST_CASE("SIGTERM: abort, finish, stall, close") {
  struct Row {
    const char* how;
    End end;
    const char* contains;
  };
  const Row rows[] = {{"abort", End::complete, R"("finish_reason":"abort")"},
                      {"finish", End::complete, R"("finish_reason":"length")"},
                      {"close", End::closed, ""}};
  for (const Row& row : rows) {
    CAPTURE(row.how);
    SimProgram sim({"--ttft", "1ms", "--itl", "20ms", "--shutdown", row.how});
    Client client(sim.port());
    client.post(kCompletions, R"({"prompt":"a","max_tokens":10,"stream":true})");
    get(sim.port(), "/load");
    ::kill(sim.process().pid(), SIGTERM);
    const Reply reply = client.read();
    CHECK(reply.end == row.end);
    CHECK(reply.body.find(row.contains) != reply.body.npos);
    CHECK(sim.process().wait(10'000'000'000) == 0);
  }
  SimProgram sim({"--ttft", "1ms", "--itl", "5ms", "--shutdown", "stall"});
  Client client(sim.port());
  client.post(kCompletions, R"({"prompt":"a","max_tokens":100,"stream":true})");
  get(sim.port(), "/load");
  ::kill(sim.process().pid(), SIGTERM);
  CHECK(client.read(200).end == End::silent);
}

TEST_CASE("the program ends with its stdin") {
  SimProgram sim(kFast);
  sim.process().close_stdin();
  CHECK(sim.process().wait(10'000'000'000) == 0);
}

TEST_CASE("bad use: exit 2") {
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--mode", "fixd"},
                                                {"--host", "nowhere"},
                                                {"--script", "/nope", "--mode", "script"},
                                                {"--truth", "/dev/null/x"}}) {
    std::vector<std::string> argv{TOKOMETER_BUILD_DIR "/bin/tokometer-sim"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    ChildProcess::Options options;
    options.quiet_stderr = true;
    auto process = ChildProcess::start(argv, options);
    REQUIRE(process);
    CHECK(process->wait(10'000'000'000) == 2);
  }
}

}  // namespace
}  // namespace tokometer::sim

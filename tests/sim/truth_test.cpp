// The truth log against what a client sees: no absolute times, only what must agree.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <tokometer/json.hpp>

#include "base/hash.hpp"
#include "program.hpp"

namespace tokometer::sim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr std::string_view kAsk =
    R"({"messages":[{"role":"user","content":"a b c"}],"stream":true,"max_tokens":8})";

tkm::JsonDocument line_of(const SimProgram& sim, size_t at) {
  const auto lines = sim.lines();
  REQUIRE(lines.size() > at);
  tkm::JsonDocument json;
  REQUIRE(tkm::parse_json(lines[at], json));
  return json;
}

std::vector<TruthRow> rows_of(const SimProgram& sim, uint32_t stream) {
  auto rows = sim.rows();
  std::erase_if(rows, [&](const TruthRow& row) { return row.stream != stream; });
  return rows;
}

TEST_CASE("rows, lines and the stamps in the events agree") {
  SimProgram sim({"--ttft", "20ms", "--itl", "5ms"});
  const Reply reply = post(sim.port(), kChat, kAsk, "X-Request-Id: abc\r\n");
  sim.stop();
  const auto rows = rows_of(sim, 0);
  REQUIRE(rows.size() == 8);
  const auto line = line_of(sim, 0);
  CHECK(tkm::get_string(line, "x_request_id") == "abc");
  CHECK(tkm::get_string(line, "outcome") == "complete");
  CHECK(tkm::get_int(line, "tokens") == 8);
  CHECK(tkm::get_int(line, "text_crc") == crc32c(texts(reply, "content").at(0)));
  const auto received_ns = static_cast<uint64_t>(tkm::get_int(line, "received_ns"));
  CHECK(rows[0].due_ns == received_ns + 20 * kMs);
  CHECK(static_cast<uint64_t>(tkm::get_int(line, "arrived_ns")) <= received_ns);
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].seq == i);
    CHECK(rows[i].tokens == 1);
    CHECK(rows[i].due_ns == rows[0].due_ns + i * 5 * kMs);
    CHECK(rows[i].sent_ns >= rows[i].due_ns);
    const std::string& event = reply.events.at(1 + i);  // after the role
    const std::string stamp = event.substr(event.find("\"tkm\":\"") + 7, 32);
    CHECK(std::stoull(stamp.substr(0, 16), nullptr, 16) == rows[i].sent_ns);
    CHECK(std::stoul(stamp.substr(16, 8), nullptr, 16) == 0);
    CHECK(std::stoul(stamp.substr(24), nullptr, 16) == i);
    char size_line[16];
    const int framing =
        std::snprintf(size_line, sizeof size_line, "%zx\r\n\r\n", reply.chunks.at(1 + i).size());
    CHECK(rows[i].bytes == reply.chunks.at(1 + i).size() + static_cast<size_t>(framing));
  }
}

TEST_CASE("a request has arrived when it lies at the server's socket, read or not") {
  SimProgram sim({"--ttft", "1ms", "--itl", "1ms", "--stall", R"({"at":"50ms","for":"600ms"})"});
  post(sim.port(), kChat, kAsk);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  post(sim.port(), kChat, kAsk);  // while the server is frozen
  sim.stop();
  const auto line = line_of(sim, 1);
  CHECK(tkm::get_int(line, "received_ns") - tkm::get_int(line, "arrived_ns") >= 100'000'000);
}

TEST_CASE("a whole reply is one row with all its tokens, due when the last token is") {
  SimProgram sim({"--ttft", "20ms", "--itl", "5ms"});
  post(sim.port(), kCompletions, R"({"prompt":"a","max_tokens":4})");
  sim.stop();
  const auto rows = rows_of(sim, 0);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].tokens == 4);
  CHECK(rows[0].due_ns == static_cast<uint64_t>(tkm::get_int(line_of(sim, 0), "received_ns")) + 35 * kMs);
  CHECK(tkm::get_int(line_of(sim, 0), "text_crc") == crc32c(" r0t0 r0t1 r0t2 r0t3"));
}

// Due times since the request came in.
std::vector<uint64_t> offsets(const std::vector<std::string>& flags) {
  SimProgram sim(flags);
  for (int i = 0; i < 2; ++i) post(sim.port(), kChat, kAsk);
  sim.stop();
  std::vector<uint64_t> out;
  for (const TruthRow& row : sim.rows()) {
    out.push_back(row.due_ns - static_cast<uint64_t>(tkm::get_int(line_of(sim, row.stream), "received_ns")));
  }
  return out;
}

TEST_CASE("same seed, same due times") {
  const std::vector<std::string> flags = {"--ttft", "5ms", "--itl", "2ms", "--jitter", "0.3", "--seed"};
  auto one = flags, two = flags;
  one.push_back("1");
  two.push_back("2");
  const auto first = offsets(one);
  CHECK(first.size() == 16);
  CHECK(first == offsets(one));
  CHECK(first != offsets(two));
}

TEST_CASE("phases step: streams that began apart are due together") {
  SimProgram sim({"--ttft", "10ms", "--itl", "4ms", "--phases", "step"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(sim.port()));
    clients.back()->post(kChat, kAsk);
  }
  for (const auto& client : clients) CHECK(client->read().end == Reply::End::complete);
  sim.stop();
  const auto rows = sim.rows();
  CHECK(rows.size() == 64);
  for (const TruthRow& row : rows) CHECK((row.due_ns - rows[0].due_ns) % (4 * kMs) == 0);
}

TEST_CASE("nothing is due in a stall, and the stream goes on after it") {
  SimProgram sim({"--ttft", "10ms", "--itl", "10ms", "--stall", R"({"at":"35ms","for":"100ms"})"});
  post(sim.port(), kChat, kAsk);
  sim.stop();
  const auto rows = rows_of(sim, 0);
  REQUIRE(rows.size() == 8);
  CHECK(rows[2].due_ns - rows[0].due_ns == 20 * kMs);
  CHECK(rows[3].due_ns - rows[0].due_ns == 125 * kMs);  // received + 35 + 100
  CHECK(rows[4].due_ns - rows[3].due_ns == 10 * kMs);
}

TEST_CASE("many streams at once: every token of every stream, in order, on both sides") {
  SimProgram sim({"--ttft", "5ms", "--itl", "1ms", "--split", "seeded"});
  constexpr uint32_t kStreams = 40;
  std::vector<std::unique_ptr<Client>> clients;
  for (uint32_t i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<Client>(sim.port()));
    clients.back()->post(kChat, kAsk, "X-Request-Id: c" + std::to_string(i) + "\r\n");
  }
  std::map<std::string, uint32_t> crcs;
  for (uint32_t i = 0; i < kStreams; ++i)
    crcs["c" + std::to_string(i)] = crc32c(texts(clients[i]->read(), "content").at(0));
  sim.stop();
  CHECK(sim.rows().size() == kStreams * 8);
  REQUIRE(sim.lines().size() == kStreams);
  for (size_t at = 0; at < kStreams; ++at) {
    const auto line = line_of(sim, at);
    CHECK(tkm::get_int(line, "text_crc") == crcs.at(std::string(tkm::get_string(line, "x_request_id"))));
  }
}

TEST_CASE("a client that leaves is noted with the tokens that it got") {
  SimProgram sim({"--ttft", "1ms", "--itl", "50ms"});
  {
    Client client(sim.port());
    client.post(kChat, kAsk);
    client.read(20);
  }
  post(sim.port(), kCompletions, R"({"prompt":"a","max_tokens":1})");
  sim.stop();
  CHECK(tkm::get_string(line_of(sim, 0), "outcome") == "client_gone");
  CHECK(tkm::get_int(line_of(sim, 0), "tokens") < 8);
}

TEST_CASE("the rows survive SIGKILL") {
  SimProgram sim({"--ttft", "1ms", "--itl", "1ms"});
  post(sim.port(), kChat, kAsk);
  get(sim.port(), "/load");  // what came before is noted by now
  ::kill(sim.process().pid(), SIGKILL);
  sim.process().wait(10'000'000'000);
  CHECK(rows_of(sim, 0).size() == 8);
  CHECK(sim.lines().size() == 1);
}

TEST_CASE("mode model: one slot serves one request after the other") {
  SimProgram sim({"--mode", "model", "--max-num-seqs", "1", "--jitter", "0"});
  Client a(sim.port()), b(sim.port());
  a.post(kChat, kAsk);
  b.post(kChat, kAsk);
  CHECK(a.read().end == Reply::End::complete);
  CHECK(b.read().end == Reply::End::complete);
  sim.stop();
  auto rows = sim.rows();
  REQUIRE(rows.size() == 16);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const TruthRow& x, const TruthRow& y) { return x.due_ns < y.due_ns; });
  for (size_t i = 1; i < 8; ++i) CHECK(rows[i].stream == rows[0].stream);
  for (size_t i = 8; i < 16; ++i) CHECK(rows[i].stream != rows[0].stream);
}

TEST_CASE("mode model: a prefix hit is reported and its first token comes sooner") {
  SimProgram sim({"--mode", "model", "--jitter", "0", "--prefix-cache"});
  std::string prompt;
  for (int i = 0; i < 1600; ++i) prompt += "w" + std::to_string(i) + " ";
  const std::string json = R"({"max_tokens":2,"prompt":")" + prompt + R"("})";
  CHECK(post(sim.port(), kCompletions, json).body.find(R"("cached_tokens":0)") != std::string::npos);
  CHECK(post(sim.port(), kCompletions, json).body.find(R"("cached_tokens":1584)") != std::string::npos);
  Client(sim.port()).post("/reset_prefix_cache", "");
  CHECK(post(sim.port(), "/reset_prefix_cache", "").body == R"({"success":true})");
  CHECK(post(sim.port(), kCompletions, json).body.find(R"("cached_tokens":0)") != std::string::npos);
  sim.stop();
  const auto due = [&](uint32_t stream) {
    return rows_of(sim, stream).at(0).due_ns -
           static_cast<uint64_t>(tkm::get_int(line_of(sim, stream), "received_ns"));
  };
  CHECK(due(1) < due(0));
}

}  // namespace
}  // namespace tokometer::sim

// The engine model against its formula, in simulated time: no clock, no sockets.
#include "sim/model.hpp"

#include <doctest/doctest.h>

#include <map>

namespace tokometer::sim {
namespace {

Engine::Options exact(const char* gpu = "h100-80") {
  Engine::Options options;
  options.gpu = gpu_preset(gpu);
  options.jitter = 0;
  options.stall_chance = 0;
  return options;
}

// Runs steps until the engine is idle: the instant of each token of each id.
std::map<uint32_t, std::vector<int64_t>> play(Engine& engine) {
  std::map<uint32_t, std::vector<int64_t>> tokens;
  int64_t now_ns = 0;
  while (const auto step = engine.begin_step()) {
    now_ns += *step;
    for (const auto& progress : engine.end_step()) tokens[progress.id].push_back(now_ns);
  }
  return tokens;
}

double ms(int64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

TEST_CASE("the step of each preset, as the design's table has it") {
  struct Row {
    const char* gpu;
    double one_ms, batch_ms, prefill_us;
  };
  const Row rows[] = {{"h100-80", 6.8, 11.7, 36},
                      {"a100-80", 10.4, 18.4, 135},
                      {"a100-40", 13.2, 23.7, 135},
                      {"l40s", 22.9, 41.5, 139}};
  for (const Row& row : rows) {
    CAPTURE(row.gpu);
    const GpuModel gpu = gpu_preset(row.gpu);
    CHECK((gpu.base_s + gpu.sequence_s) * 1e3 == doctest::Approx(row.one_ms).epsilon(0.02));
    CHECK((gpu.base_s + gpu.context_token_s * 64'000 + 64 * gpu.sequence_s) * 1e3 ==
          doctest::Approx(row.batch_ms).epsilon(0.02));
    CHECK(gpu.prefill_token_s * 1e6 == doctest::Approx(row.prefill_us).epsilon(0.02));
  }
  CHECK(gpu_preset("l4").most_seqs == 24);
}

TEST_CASE("one request: first token after its prefill step, then one a step") {
  Engine engine(exact());
  engine.add(7, 1000, 0, 3);
  const auto tokens = play(engine).at(7);
  REQUIRE(tokens.size() == 3);
  const GpuModel gpu = gpu_preset("h100-80");
  const auto step_ms = [&](double context, double prefill) {
    return 1e3 *
           (gpu.base_s + gpu.context_token_s * context + gpu.prefill_token_s * prefill + gpu.sequence_s);
  };
  CHECK(ms(tokens[0]) == doctest::Approx(step_ms(1000, 1000)));
  CHECK(ms(tokens[1] - tokens[0]) == doctest::Approx(step_ms(1001, 0)));
  CHECK(ms(tokens[2] - tokens[1]) == doctest::Approx(step_ms(1002, 0)));
}

TEST_CASE("a long prompt is prefilled in pieces of 2048") {
  Engine engine(exact());
  engine.add(1, 5000, 0, 1);
  int steps = 0;
  while (engine.begin_step()) ++steps, engine.end_step();
  CHECK(steps == 3);
}

TEST_CASE("a prefix hit shortens the prefill") {
  Engine cold(exact()), warm(exact());
  cold.add(1, 2000, 0, 1);
  warm.add(1, 2000, 1984, 1);
  const double saved_ms = ms(play(cold).at(1)[0]) - ms(play(warm).at(1)[0]);
  CHECK(saved_ms == doctest::Approx(1984 * gpu_preset("h100-80").prefill_token_s * 1e3));
}

TEST_CASE("slots are given in the order of arrival") {
  auto options = exact();
  options.max_num_seqs = 2;
  Engine engine(options);
  for (uint32_t id = 0; id < 4; ++id) engine.add(id, 10, 0, 2);
  CHECK(engine.waiting() == 4);
  REQUIRE(engine.begin_step());
  CHECK(engine.running() == 2);
  CHECK(std::vector<uint32_t>(engine.admitted().begin(), engine.admitted().end()) ==
        std::vector<uint32_t>{0, 1});
  engine.end_step();
  const auto tokens = play(engine);
  CHECK(tokens.at(2)[0] > tokens.at(1).back());
  CHECK(tokens.at(2)[0] == tokens.at(3)[0]);
}

TEST_CASE("the queue is full when slots and waiting places are taken") {
  auto options = exact();
  options.max_num_seqs = 1;
  options.queue_limit = 2;
  Engine engine(options);
  CHECK_FALSE(engine.full(0));
  CHECK_FALSE(engine.full(2));
  CHECK(engine.full(3));
  engine.add(0, 10, 0, 5);
  engine.begin_step();  // takes the slot
  engine.add(1, 10, 0, 5);
  CHECK_FALSE(engine.full(0));
  engine.add(2, 10, 0, 5);
  CHECK(engine.full(0));
}

TEST_CASE("full KV cache: the newest is preempted, computed again, and loses no token") {
  auto options = exact();
  options.kv_tokens = 160;  // 10 blocks
  Engine engine(options);
  engine.add(1, 64, 0, 40);
  engine.add(2, 64, 0, 40);
  const auto tokens = play(engine);
  CHECK(engine.preemptions() > 0);
  CHECK(tokens.at(1).size() == 40);
  CHECK(tokens.at(2).size() == 40);
  CHECK(tokens.at(1).back() < tokens.at(2).back());
  CHECK(engine.kv_usage() == 0);
}

TEST_CASE("what can never fit is known beforehand") {
  auto options = exact();
  options.kv_tokens = 160;
  const Engine engine(options);
  CHECK(engine.fits(100, 60));
  CHECK_FALSE(engine.fits(101, 60));
}

TEST_CASE("a client that goes frees its slot, also in the middle of a step") {
  auto options = exact();
  options.max_num_seqs = 2;
  Engine engine(options);
  for (uint32_t id = 0; id < 3; ++id) engine.add(id, 10, 0, 2);
  engine.begin_step();
  engine.remove(0);
  engine.remove(99);  // unknown: nothing happens
  const auto progress = engine.end_step();
  REQUIRE(progress.size() == 1);
  CHECK(progress[0].id == 1);
  engine.begin_step();
  CHECK(engine.running() == 2);
}

TEST_CASE("same seed, same steps; the jitter has the width asked for") {
  auto options = exact();
  options.jitter = 0.025;
  Engine a(options), b(options);
  double sum = 0, squares = 0;
  constexpr int kSteps = 2000;
  a.add(1, 1, 0, kSteps);
  b.add(1, 1, 0, kSteps);
  for (int i = 0; i < kSteps; ++i) {
    const double step = ms(*a.begin_step());
    CHECK(step == ms(*b.begin_step()));
    sum += step, squares += step * step;
    a.end_step(), b.end_step();
  }
  const double mean = sum / kSteps, sigma = std::sqrt(squares / kSteps - mean * mean) / mean;
  CHECK(sigma == doctest::Approx(0.025).epsilon(0.1));
}

}  // namespace
}  // namespace tokometer::sim

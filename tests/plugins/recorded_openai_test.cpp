// Every response of the OpenAI routes recorded from llama.cpp and llm-d-inference-sim gives the events of the
// independent reader (expected.py), wherever it is cut; each recorded failure is of the right kind.
#include <doctest/doctest.h>

#include <tokometer/abi.h>

#include <algorithm>
#include <string>
#include <vector>

#include "processor_harness.hpp"
#include "standard/openai.hpp"

using namespace processor_test;

namespace {

std::vector<Fixture> fixtures_of(const std::string& server) {
  return read_fixtures(TOKOMETER_SOURCE_DIR "/plugins/standard/fixtures/openai/" + server);
}

void play_all(const std::vector<Fixture>& fixtures) {
  Processor processor(standard::openai_processor(), "{}");
  check_in_all_cuts(processor, fixtures);
}

}  // namespace

TEST_CASE("recorded replies of llama.cpp, in all cuts") {
  const auto fixtures = fixtures_of("llama-cpp");
  CHECK(fixtures.size() == 26);
  play_all(fixtures);
}

TEST_CASE("recorded replies of llm-d-inference-sim, in all cuts") {
  const auto fixtures = fixtures_of("llm-d-sim");
  CHECK(fixtures.size() == 19);
  play_all(fixtures);
}

TEST_CASE("recorded failures of both end in the right kind") {
  struct Row {
    std::string server, name, line;
  };
  const Row rows[] = {{"llama-cpp", "18-error-json", "error in_band 500 "},
                      {"llama-cpp", "19-error-no-messages", "error request 400 "},
                      {"llama-cpp", "20-error-type", "error request 400 "},
                      {"llama-cpp", "21-error-context", "error request 400 "},
                      {"llama-cpp", "25-embeddings", "error in_band 501 "},
                      {"llama-cpp", "43-no-api-key", "error request 401 "},
                      {"llm-d-sim", "10-bad-json", "error request 400 "},
                      {"llm-d-sim", "11-too-long", "error request 400 "},
                      {"llm-d-sim", "13-zero-tokens", "error request 400 "},
                      {"llm-d-sim", "30-queue-full", "error rejected 429 "},
                      {"llm-d-sim", "40-inject-rate-limit", "error rejected 429 "},
                      {"llm-d-sim", "41-inject-invalid-api-key", "error request 401 "},
                      {"llm-d-sim", "42-inject-context-length", "error request 400 "},
                      {"llm-d-sim", "43-inject-server-error", "error rejected 503 "},
                      {"llm-d-sim", "45-inject-model-not-found", "error request 404 "}};
  Processor processor(standard::openai_processor(), "{}");
  for (const Row& row : rows) {
    const auto fixtures = fixtures_of(row.server);
    const auto it =
        std::find_if(fixtures.begin(), fixtures.end(), [&](const auto& f) { return f.name == row.name; });
    REQUIRE(it != fixtures.end());
    const std::string said = processor.events(it->response, whole());
    CAPTURE(said);
    CHECK(said.starts_with(row.line));
  }
}

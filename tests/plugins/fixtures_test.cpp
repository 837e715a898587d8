// Every response recorded from a real vLLM gives the events of the independent reader (expected.py), wherever
// it is cut.
#include <doctest/doctest.h>

#include <tokometer/abi.h>

#include <algorithm>
#include <string>
#include <vector>

#include "processor_harness.hpp"

using namespace processor_test;

namespace {

const std::vector<Fixture>& fixtures() {
  static const auto all = read_fixtures(TOKOMETER_SOURCE_DIR "/plugins/vllm/fixtures");
  return all;
}

Processor& vllm() {
  static Processor it(tkm_module_v1()->components[0], "{}");
  return it;
}

void split_everywhere(size_t first, size_t last) {
  for (size_t index = first; index < last; ++index) {
    const Fixture& it = fixtures()[index];
    CAPTURE(it.name);
    for (size_t point = 1; point < it.response.body.size(); ++point) {
      const std::string said = vllm().events(it.response, at(point));
      if (said == it.expected) continue;
      CAPTURE(point);
      CHECK(said == it.expected);
    }
    CHECK(vllm().events(it.response, at(0)) == it.expected);
  }
}

}  // namespace

TEST_CASE("recorded responses: whole") {
  CHECK(fixtures().size() > 90);
  for (const Fixture& it : fixtures()) {
    CAPTURE(it.name);
    CHECK(vllm().events(it.response, whole()) == it.expected);
  }
}

TEST_CASE("recorded responses: byte by byte and at random") {
  for (const Fixture& it : fixtures()) {
    CAPTURE(it.name);
    CHECK(vllm().events(it.response, pieces_of(1)) == it.expected);
    for (uint64_t seed = 0; seed < 20; ++seed)
      CHECK(vllm().events(it.response, randomly(seed)) == it.expected);
  }
}

TEST_CASE("recorded responses: split at every point, first half") {
  split_everywhere(0, fixtures().size() / 2);
}

TEST_CASE("recorded responses: split at every point, second half") {
  split_everywhere(fixtures().size() / 2, fixtures().size());
}

TEST_CASE("recorded failures end in the right kind") {
  struct Row {
    std::string name, line;
  };
  const Row rows[] = {
      {"err_bad_id_stream", "error request 400 "}, {"batch_bad_second", "error request 400 "},
      {"engine_dies", "error in_band 500 "},       {"engine_dead_chat0", "error in_band 500 "},
      {"queue_full", "error rejected 503 "},       {"auth_wrong", "error request 401 "},
      {"err_model_stream", "error request 404 "},  {"sigterm", "finish 0 abort abort"},
      {"abort_server", "finish 0 abort abort"}};
  for (const Row& row : rows) {
    const auto it =
        std::find_if(fixtures().begin(), fixtures().end(), [&](const auto& f) { return f.name == row.name; });
    REQUIRE(it != fixtures().end());
    const std::string said = vllm().events(it->response, whole());
    CAPTURE(said);
    CHECK(('\n' + said).find('\n' + row.line) != said.npos);
  }
}

TEST_CASE("a tool call cut by its limit: no token event, a finish and a count") {
  const auto it =
      std::find_if(fixtures().begin(), fixtures().end(), [](const auto& f) { return f.name == "tool_cut"; });
  REQUIRE(it != fixtures().end());
  CHECK(vllm().events(it->response, whole()) == "began\nfinish 0 length length\nusage 24 -1 8 -1\ndone\n");
}

TEST_CASE("a stream closed in the middle says what came, and no end") {
  for (const Fixture& it : fixtures()) {
    if (!it.response.is_stream || it.response.status != 200 || it.expected.find("error") != std::string::npos)
      continue;
    CAPTURE(it.name);
    Response half = it.response;
    half.has_clean_end = false;
    half.body.resize(half.body.size() / 2);
    const std::string said = vllm().events(half, whole());
    CHECK(it.expected.starts_with(said));
    CHECK(said.find("done\n") == said.npos);
  }
}

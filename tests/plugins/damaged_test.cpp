// Recorded streams with bytes changed at random: still the same events in every cut, at most one fault, and
// the short way through the decoder (EventShape) says what the JSON parser says.
#include <doctest/doctest.h>

#include <tokometer/abi.h>
#include <tokometer/random.hpp>

#include <sstream>
#include <string>

#include "processor_harness.hpp"

using namespace processor_test;

namespace {

Processor& vllm() {
  static Processor it(tkm_module_v1()->components[0], "{}");
  return it;
}

// Changes, doubles or drops a few bytes; those that mean something to a parser come more often.
std::string damaged(std::string text, tkm::Random& random) {
  constexpr std::string_view kTelling = "\"\\{}[],:0n\n\r \xC3\xFF";
  for (uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
    const size_t at = random.below(text.size());
    const char byte = kTelling[random.below(kTelling.size())];
    switch (random.below(3)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      default:
        text.erase(at, 1 + random.below(3));
    }
  }
  return text;
}

// The same events for the JSON parser, each with a first member of its own, so that none looks like another.
std::string without_likeness(const std::string& body) {
  static size_t number = 0;  // streams learn from each other
  std::string out;
  size_t from = 0;
  for (size_t at = 0; (at = body.find("data: {\"", at)) != body.npos; from = at) {
    at += 7;
    out.append(body, from, at - from).append("\"x\":" + std::to_string(number++) + ",");
  }
  return out.append(body, from);
}

// Without what faults show of the text.
std::string kinds(const std::string& said) {
  std::istringstream lines(said);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    out += line.starts_with("error format") ? "error format" : line;
    out += '\n';
  }
  return out;
}

size_t count_faults(const std::string& said) {
  size_t faults = said.starts_with("error ");
  for (size_t at = 0; (at = said.find("\nerror ", at)) != said.npos; ++at) ++faults;
  return faults;
}

}  // namespace

TEST_CASE("damaged streams") {
  tkm::Random random(7);
  for (const Fixture& it : read_fixtures(TOKOMETER_SOURCE_DIR "/plugins/vllm/fixtures")) {
    if (!it.response.is_stream || it.response.status != 200) continue;
    CAPTURE(it.name);
    for (int round = 0; round < 60; ++round) {
      Response response = it.response;
      response.body = damaged(it.response.body, random);
      CAPTURE(response.body);
      const std::string said = vllm().events(response, whole());
      CHECK(vllm().events(response, randomly(random.bits())) == said);
      CHECK(count_faults(said) <= 1);
      response.body = without_likeness(response.body);
      CHECK(kinds(vllm().events(response, whole())) == kinds(said));
    }
  }
}

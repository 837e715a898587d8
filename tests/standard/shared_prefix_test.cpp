#include <map>
#include <set>
#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Sample;
using host::words_in;

std::string first_words(const std::string& text, int words) {
  size_t end = 0;
  for (; words > 0; --words) end = text.find(' ', end) + 1;
  return text.substr(0, end);
}

const std::string kOptions =
    R"({"groups":3,"prompts_per_group":4,"system_tokens":40,"question_tokens":10,"output_tokens":7)";

TEST_CASE("shared_prefix: groups take turns, each with its own beginning") {
  Dataset dataset("shared_prefix", {.config = kOptions + "}"});
  REQUIRE(dataset.error() == "");
  CHECK(dataset.size() == 12);
  const auto samples = dataset.all();
  REQUIRE(samples.size() == 12);
  std::set<std::string> systems, prompts;
  for (size_t index = 0; index < samples.size(); ++index) {
    const Sample& it = samples[index];
    CHECK(words_in(it.text) == 50);
    CHECK(it.prompt_tokens == 50);
    CHECK(it.output_tokens == 7);
    CHECK(first_words(it.text, 40) == first_words(samples[index % 3].text, 40));
    systems.insert(first_words(it.text, 40));
    prompts.insert(it.text);
  }
  CHECK(systems.size() == 3);
  CHECK(prompts.size() == 12);
}

TEST_CASE("shared_prefix: token ids, distributions, and the system prompt as it is under a calibration") {
  Dataset ids("shared_prefix", {.config = kOptions + R"(,"form":"token_ids","vocab_size":1000})"});
  const auto samples = ids.all();
  REQUIRE(samples.size() == 12);
  CHECK(samples[0].tokens.size() == 50);
  CHECK(std::equal(samples[0].tokens.begin(), samples[0].tokens.begin() + 40, samples[3].tokens.begin()));
  CHECK(samples[0].tokens != samples[3].tokens);
  const tkm_calibration seen{sizeof(tkm_calibration), 0, 1.25, 5};
  Dataset text("shared_prefix", {.config = kOptions + "}", .calibration = &seen});
  for (const Sample& it : text.all()) {
    CHECK(words_in(it.text) == 36);  // (50 - 5) / 1.25
    CHECK(it.prompt_tokens == 50);
  }
  Dataset spread(
      "shared_prefix",
      {.config =
           R"({"groups":20,"prompts_per_group":2,"system_tokens":{"distribution":"uniform","min":10,"max":90},)"
           R"("question_tokens":1})"});
  const auto drawn = spread.all();
  std::set<int64_t> lengths;
  for (size_t index = 0; index < 20; ++index) {
    CHECK(drawn[index].prompt_tokens == drawn[index + 20].prompt_tokens);  // a group keeps its length
    lengths.insert(drawn[index].prompt_tokens);
  }
  CHECK(lengths.size() > 5);
}

}  // namespace

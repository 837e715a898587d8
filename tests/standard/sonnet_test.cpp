#include <algorithm>
#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;
using host::Sample;
using host::words_in;

// 40 lines of 7 to 9 words, all different.
std::string poem() {
  std::string text;
  for (int line = 0; line < 40; ++line) {
    for (int word = 0; word < 7 + line % 3; ++word)
      text += "w" + std::to_string(line) + "x" + std::to_string(word) + " ";
    text += line % 4 == 3 ? "\n\n" : "\n";
  }
  return text;
}

std::vector<Sample> draw(std::string_view options, size_t count, uint64_t seed = 1,
                         const tkm_calibration* calibration = nullptr) {
  const Folder folder;
  host::Setup setup = reading(folder.write("s.txt", poem()), options);
  setup.seed = seed;
  setup.calibration = calibration;
  Dataset dataset("sonnet", setup);
  REQUIRE(dataset.error() == "");
  CHECK(dataset.size() == -1);
  std::vector<Sample> samples;
  while (samples.size() < count) samples.push_back(dataset.next());
  return samples;
}

TEST_CASE("sonnet: a shared beginning, then lines of the file up to the length") {
  const auto samples = draw("", 50);
  size_t shared = samples[0].text.size();
  for (const Sample& it : samples) {
    CHECK(it.text.starts_with("Choose as many"));
    CHECK(it.output_tokens == 150);
    CHECK(std::abs(words_in(it.text) - 550 * 10 / 13) <= 9);  // 1.3 tokens a word, to the nearest line
    const auto differ =
        std::mismatch(it.text.begin(), it.text.end(), samples[0].text.begin(), samples[0].text.end());
    if (&it != &samples[0]) shared = std::min(shared, static_cast<size_t>(differ.first - it.text.begin()));
  }
  CHECK(std::abs(words_in(samples[0].text.substr(0, shared)) - 200 * 10 / 13) <= 18);
  CHECK(samples[0].text != samples[1].text);
}

TEST_CASE("sonnet: equal for equal seeds; lengths follow the calibration") {
  CHECK(draw("", 5)[4].text == draw("", 5)[4].text);
  CHECK(draw("", 5)[4].text != draw("", 5, 2)[4].text);
  const tkm_calibration seen{sizeof(tkm_calibration), 0, 2.0, 50};
  for (const Sample& it : draw("", 20, 1, &seen)) CHECK(std::abs(words_in(it.text) - 250) <= 9);
}

TEST_CASE("sonnet: options") {
  const auto samples = draw(R"(,"input_tokens":60,"prefix_tokens":0,"output_tokens":9,"instruction":"")", 3);
  CHECK(samples[0].output_tokens == 9);
  CHECK(samples[0].text.starts_with("w"));
  const Folder folder;
  Dataset bad("sonnet", reading(folder.write("s.txt", "a b\n"), R"(,"input_tokens":100)"));
  CHECK(bad.error() == "prefix_tokens: must be below input_tokens");
  const std::string path = folder.write("s.txt", "a b\nc \xFF\n");
  Dataset damaged("sonnet", reading(path));
  CHECK(damaged.error() == path + ":2: not valid UTF-8 (column 3)");
}

}  // namespace

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Sample;

int64_t words_in(std::string_view text) {
  return std::count(text.begin(), text.end(), ' ') + 1;
}

std::vector<Sample> draw(const host::Setup& setup, size_t count) {
  Dataset dataset("synthetic", setup);
  REQUIRE(dataset.error() == "");
  std::vector<Sample> samples;
  while (samples.size() < count) {
    samples.push_back(dataset.next());
    REQUIRE(samples.back().status == TKM_OK);
  }
  return samples;
}

std::vector<int64_t> input_lengths(const std::string& input_tokens, size_t count) {
  std::vector<int64_t> lengths;
  for (const Sample& it : draw({.config = R"({"input_tokens":)" + input_tokens + "}"}, count)) {
    CHECK(words_in(it.text) == it.prompt_tokens);
    lengths.push_back(it.prompt_tokens);
  }
  return lengths;
}

double mean_of(const std::vector<int64_t>& values) {
  double sum = 0;
  for (const int64_t value : values) sum += static_cast<double>(value);
  return sum / static_cast<double>(values.size());
}

double stddev_of(const std::vector<int64_t>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const int64_t value : values)
    sum += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

TEST_CASE("synthetic: plain lengths, a word per token, an exact length asked") {
  for (const Sample& it : draw({.config = R"({"input_tokens":128,"output_tokens":32})"}, 50)) {
    CHECK(words_in(it.text) == 128);
    CHECK(it.prompt_tokens == 128);
    CHECK(it.output_tokens == 32);
    CHECK(it.output_mode == TKM_OUTPUT_EXACT);
  }
}

TEST_CASE("synthetic: without output_tokens the answer's length is left open") {
  CHECK(draw({.config = R"({"input_tokens":4})"}, 1)[0].output_tokens == -1);
}

TEST_CASE("synthetic: endless, and equal for equal seeds") {
  const host::Setup setup{.config = R"({"input_tokens":{"distribution":"uniform","min":1,"max":50}})",
                          .seed = 5};
  CHECK(Dataset("synthetic", setup).size() == -1);
  const auto first = draw(setup, 200), again = draw(setup, 200);
  host::Setup other = setup;
  other.seed = 6;
  const auto different = draw(other, 200);
  bool same = true, alike = true;
  std::set<std::string> texts;
  for (size_t index = 0; index < first.size(); ++index) {
    same = same && first[index].text == again[index].text;
    alike = alike && first[index].text == different[index].text;
    if (words_in(first[index].text) > 4) texts.insert(first[index].text.substr(0, 20));
  }
  CHECK(same);
  CHECK_FALSE(alike);
  CHECK(texts.size() > 170);  // no two begin alike: nothing for a prefix cache
}

TEST_CASE("synthetic: lengths have their distribution") {
  SUBCASE("uniform gives every number alike, both ends included") {
    const auto lengths = input_lengths(R"({"distribution":"uniform","min":3,"max":6})", 4000);
    for (int64_t length = 3; length <= 6; ++length) {
      CHECK(std::abs(std::count(lengths.begin(), lengths.end(), length) - 1000) < 110);
    }
  }
  SUBCASE("normal") {
    const auto lengths = input_lengths(R"({"distribution":"normal","mean":100,"stddev":15})", 4000);
    CHECK(mean_of(lengths) == doctest::Approx(100).epsilon(0.01));
    CHECK(stddev_of(lengths) == doctest::Approx(15).epsilon(0.05));
  }
  SUBCASE("normal, cut") {
    const auto lengths = input_lengths(R"({"distribution":"normal","mean":10,"stddev":50,"max":40})", 2000);
    CHECK(*std::min_element(lengths.begin(), lengths.end()) == 1);
    CHECK(*std::max_element(lengths.begin(), lengths.end()) == 40);
  }
  SUBCASE("lognormal: mean and stddev are those of the lengths") {
    const auto lengths = input_lengths(R"({"distribution":"lognormal","mean":100,"stddev":60})", 8000);
    CHECK(mean_of(lengths) == doctest::Approx(100).epsilon(0.03));
    CHECK(stddev_of(lengths) == doctest::Approx(60).epsilon(0.1));
  }
  SUBCASE("fixed") {
    CHECK(input_lengths(R"({"distribution":"fixed","mean":7})", 3) == std::vector<int64_t>{7, 7, 7});
  }
}

TEST_CASE("synthetic: range_ratio spreads plain numbers") {
  std::set<int64_t> inputs, outputs;
  for (const Sample& it :
       draw({.config = R"({"input_tokens":10,"output_tokens":4,"range_ratio":0.5})"}, 500)) {
    inputs.insert(it.prompt_tokens);
    outputs.insert(it.output_tokens);
  }
  CHECK(inputs == std::set<int64_t>{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  CHECK(outputs == std::set<int64_t>{2, 3, 4, 5, 6});
}

TEST_CASE("synthetic: all prompts share the prefix, which comes on top") {
  const auto samples = draw({.config = R"({"input_tokens":20,"prefix_tokens":30})"}, 20);
  size_t prefix_bytes = 0;
  for (int word = 0; word < 30; ++word) prefix_bytes = samples[0].text.find(' ', prefix_bytes) + 1;
  for (const Sample& it : samples) {
    CHECK(it.prompt_tokens == 50);
    CHECK(words_in(it.text) == 50);
    CHECK(it.text.substr(0, prefix_bytes) == samples[0].text.substr(0, prefix_bytes));
  }
  CHECK(samples[0].text.substr(prefix_bytes) != samples[1].text.substr(prefix_bytes));
}

TEST_CASE("synthetic: token ids stay inside the vocabulary and clear of the special ones at its beginning") {
  for (const Sample& it :
       draw({.config = R"({"input_tokens":500,"prefix_tokens":3,"form":"token_ids","vocab_size":1000})"},
            20)) {
    CHECK(it.tokens.size() == 503);
    CHECK(it.text.empty());
    CHECK(*std::min_element(it.tokens.begin(), it.tokens.end()) >= 256);
    CHECK(*std::max_element(it.tokens.begin(), it.tokens.end()) < 1000);
  }
}

TEST_CASE("synthetic: what the server counted changes the number of words") {
  struct Case {
    tkm_calibration seen;
    int64_t words_of_100;
  };
  const Case cases[] = {
      {{sizeof(tkm_calibration), 0, 1.0, 0}, 100},  {{sizeof(tkm_calibration), 0, 1.0, 30}, 70},
      {{sizeof(tkm_calibration), 0, 1.25, 0}, 80},  {{sizeof(tkm_calibration), 0, 1.5, 10}, 60},
      {{sizeof(tkm_calibration), 0, 0.0, 10}, 100}, {{sizeof(tkm_calibration), 0, -1.0, 0}, 100}};
  for (const Case& it : cases) {
    CAPTURE(it.words_of_100);
    const auto samples = draw({.config = R"({"input_tokens":100})", .calibration = &it.seen}, 2);
    CHECK(words_in(samples[1].text) == it.words_of_100);
    CHECK(samples[1].prompt_tokens == 100);
  }
}

TEST_CASE("synthetic: a calibration changes no length drawn, and the prefix counts with the rest") {
  const tkm_calibration seen{sizeof(tkm_calibration), 0, 1.25, 20};
  const std::string config =
      R"({"input_tokens":{"distribution":"uniform","min":40,"max":90},"prefix_tokens":50})";
  const auto plain = draw({.config = config}, 50),
             adjusted = draw({.config = config, .calibration = &seen}, 50);
  for (size_t index = 0; index < plain.size(); ++index) {
    CHECK(adjusted[index].prompt_tokens == plain[index].prompt_tokens);
    const double tokens = 20 + 1.25 * static_cast<double>(words_in(adjusted[index].text));
    CHECK(std::abs(tokens - static_cast<double>(adjusted[index].prompt_tokens)) <= 1.25);
  }
}

TEST_CASE("synthetic: a prompt shorter than the chat template has one word, and a warning") {
  const tkm_calibration seen{sizeof(tkm_calibration), 0, 1.0, 30};
  Dataset dataset("synthetic", {.config = R"({"input_tokens":10})", .calibration = &seen});
  CHECK(words_in(dataset.next().text) == 1);
  CHECK(words_in(dataset.next().text) == 1);
  REQUIRE(dataset.logged().size() == 1);
  CHECK(dataset.logged()[0] ==
        "synthetic: a prompt of 10 tokens was asked for, but the server's chat template alone has 30; such "
        "prompts are "
        "one word long");
}

namespace {

// A token for each started `letters` letters of a word; `asked` counts calls.
struct WordTokenizer {
  size_t letters;
  tkm_host_tokenizer table{sizeof(tkm_host_tokenizer), 0, this, 1, encode};

  static tkm_status encode(void* ctx, tkm_str text, int32_t, const tkm_ids_out* out, const tkm_writer*) {
    const std::vector<int32_t> ids(
        static_cast<size_t>(static_cast<WordTokenizer*>(ctx)->count(host::copy(text))));
    out->ids(out->ctx, ids.data(), ids.size());
    return TKM_OK;
  }
  int64_t count(const std::string& text) const {
    int64_t tokens = 0;
    size_t word = 0;
    for (const char c : text) {
      word = c == ' ' ? 0 : word + 1;
      if (word > 0 && (word - 1) % letters == 0) ++tokens;
    }
    return tokens;
  }
};

}  // namespace

TEST_CASE("synthetic: with a tokenizer a text has exactly as many tokens as asked") {
  const std::vector<std::pair<size_t, double>> vocabularies{{100, 1.0}, {5, 1.3}, {4, 1.6}};
  for (const auto& vocabulary : vocabularies) {
    const size_t letters = vocabulary.first;
    const double per_word = vocabulary.second;
    CAPTURE(letters);
    WordTokenizer tokenizer{letters};
    const tkm_calibration seen{sizeof(tkm_calibration), 0, per_word, 5};
    const host::Setup setup{
        .config = R"({"input_tokens":{"distribution":"uniform","min":20,"max":90},"prefix_tokens":30})",
        .calibration = &seen,
        .tokenizer = &tokenizer.table};
    const auto samples = draw(setup, 100), again = draw(setup, 100);
    const std::string prefix = samples[0].text.substr(0, samples[0].text.find(' '));
    for (size_t index = 0; index < samples.size(); ++index) {
      CHECK(samples[index].text == again[index].text);
      CHECK(samples[index].text.starts_with(prefix + " "));
      CHECK(tokenizer.count(samples[index].text) + 5 == samples[index].prompt_tokens);
    }
    const auto plain = draw({.config = setup.config}, 100);
    size_t exact = 0;
    for (size_t index = 0; index < samples.size(); ++index)
      exact += samples[index].prompt_tokens == plain[index].prompt_tokens ? 1 : 0;
    CHECK(exact == samples.size());
  }
}

TEST_CASE("synthetic: where no text has the length, the tokenizer's count is what is stated") {
  WordTokenizer tokenizer{1};  // each letter a token: lengths of words decide
  const auto samples = draw({.config = R"({"input_tokens":1})", .tokenizer = &tokenizer.table}, 20);
  for (const auto& sample : samples) {
    CHECK(words_in(sample.text) == 1);
    CHECK(sample.prompt_tokens == tokenizer.count(sample.text));
  }
}

TEST_CASE("synthetic: options that do not fit together") {
  struct Case {
    const char *config, *sentence;
  };
  const Case cases[] = {
      {R"({"input_tokens":8,"form":"token_ids"})",
       "form: token_ids needs vocab_size, the number of tokens that the model knows"},
      {R"({"input_tokens":8,"vocab_size":1000})", "vocab_size: only used with form: token_ids"},
      {R"({"input_tokens":{"distribution":"uniform","min":9,"max":8}})",
       "input_tokens: min 9 is above max 8"},
      {R"({"input_tokens":8,"output_tokens":{"distribution":"normal","mean":8}})",
       R"(output_tokens: distribution "normal" needs "stddev")"},
      {R"({"input_tokens":{"mean":8,"max":9}})", R"(input_tokens: distribution "fixed" has no "max")"},
      {R"({"input_tokens":{"distribution":"normal","mean":8,"stddev":1},"range_ratio":0.5})",
       "range_ratio: input_tokens is a distribution already; give one of the two"},
      {R"({"input_tokens":0})",
       R"(option "input_tokens": missing, of the wrong type or out of range (found 0))"},
      {R"({})", R"(option "input_tokens": missing, of the wrong type or out of range (found nothing))"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.config);
    Dataset dataset("synthetic", {.config = it.config});
    CHECK(dataset.status() == TKM_E_CONFIG);
    CHECK(dataset.error() == it.sentence);
  }
}

TEST_CASE("synthetic: frozen, so that a run of today can be repeated with a build of tomorrow") {
  const auto samples = draw({.config = R"({"input_tokens":6})", .seed = 42}, 2);
  CHECK(samples[0].text == "option elect sons protein pan sites");
  CHECK(samples[1].text == "houses wing drama daily acquire lately");
}

}  // namespace

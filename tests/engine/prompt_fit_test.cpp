#include "engine/prompt_fit.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/fake_plugins.hpp"
#include "engine/samples.hpp"

namespace tokometer {
namespace {

using test::fake_dataset;
using Length = RunFile::TokenLength;

tkm_str str(const std::string& text) {
  return {text.data(), text.size()};
}

Length fixed(double tokens) {
  Length length;
  length.mean = tokens;
  return length;
}

int64_t words(std::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++at) count += text[at] != ' ' && (at == 0 || text[at - 1] == ' ');
  return count;
}

std::string text_of(const Sample& sample) {
  return std::string(sample.text().data, sample.text().size);
}

// A row for each text.
test::DatasetStep texts(std::vector<std::string> rows) {
  return [rows = std::move(rows), at = size_t{0}](const tkm_sample_out& out,
                                                  const tkm_writer&) mutable -> tkm_status {
    if (at == rows.size()) return TKM_END;
    out.text(out.ctx, str(rows[at++]));
    return TKM_OK;
  };
}

// One row: an instruction of three words, then what is asked.
test::DatasetStep chat(const std::string& question) {
  return [question, said = false](const tkm_sample_out& out, const tkm_writer&) mutable -> tkm_status {
    if (std::exchange(said, true)) return TKM_END;
    const auto say = [&](const char* role, const std::string& text) {
      out.message(out.ctx, test::str(role), {});
      const tkm_part part{TKM_PART_TEXT, 0, {}, str(text)};
      out.part(out.ctx, &part);
    };
    say("system", "be very brief");
    say("user", question);
    return TKM_OK;
  };
}

}  // namespace

TEST_CASE("a text is cut or repeated to its tokens, by the tokenizer") {
  const auto tokenizer = test::fake_tokenizer();
  RunFile::Rows rows;
  rows.input_tokens = fixed(1);
  PromptFit fit(rows, 1, tokenizer.get(), {});
  for (const char* whole : {"a", "one two three", "some much longer words than those that came before",
                            "z\u00fcrich \u6771\u4eac \U0001F600 end"}) {
    for (const int64_t tokens : {1, 2, 3, 7, 100}) {
      std::string text = whole;
      const auto found = fit.fit(text, tokens);
      REQUIRE(found);
      CHECK(*found == tokens);
      CHECK(words(text) == tokens);
      CHECK((static_cast<unsigned char>(text.front()) & 0xc0u) != 0x80u);
    }
  }
  CHECK(fit.report().starts_with("prompts are fitted to dataset.rows.input_tokens by the tokenizer: "));
  std::string blank = "  ";
  CHECK(fit.fit(blank, 3).error().message == "its text has no tokens to repeat");
  std::string broken = "a \xff";
  CHECK_FALSE(fit.fit(broken, 3));
}

TEST_CASE("without a tokenizer the length is taken in bytes, never inside of a character") {
  RunFile::Rows rows;
  rows.input_tokens = fixed(1);
  PromptFit estimate(rows, 1, nullptr, {});
  std::string text = "0123456789";
  CHECK(*estimate.fit(text, 2) == 2);
  CHECK(text == "01234567");
  CHECK(*estimate.fit(text, 5) == 5);
  CHECK(text == "01234567 01234567 01");
  CHECK(estimate.report() ==
        "prompts are fitted to dataset.rows.input_tokens by 4.00 bytes a token, an estimate: 1 cut, 1 "
        "repeated, "
        "0 as they were");
  std::string umlauts = "\u00fc\u00fc\u00fc\u00fc\u00fc";
  PromptFit counted(
      rows, 1, nullptr,
      {.bytes_per_token = 3, .overhead_tokens = 0, .counted = "as the server counted two of them"});
  CHECK(counted.fit(umlauts, 1));
  CHECK(umlauts == "\u00fc");
  CHECK(counted.report().find("3.00 bytes a token, as the server counted two of them: 1 cut") !=
        std::string::npos);
}

TEST_CASE("the server is asked about each prompt, until it fails or nobody may wait") {
  RunFile::Rows rows;
  rows.input_tokens = fixed(1);
  bool fails = false;
  int calls = 0;
  const auto counter = [&](std::string_view text) -> Result<int64_t> {
    ++calls;
    if (fails) return Error{"POST /tokenize: HTTP 404"};
    return 1 + (static_cast<int64_t>(text.size()) + 6) / 7;  // seven letters a token, and a begin-of-text
  };
  PromptFit fit(rows, 1, nullptr,
                {.bytes_per_token = 2, .overhead_tokens = 0, .counted = {}, .around_tokens = 1}, counter);
  std::string text = "abcdefg";
  REQUIRE(fit.fit(text, 10));
  CHECK((text.size() + 6) / 7 == 10);
  CHECK(calls <= 5);
  CHECK(fit.report().find("by the server's counts of each: ") != std::string::npos);
  fails = true;
  text = "abcdefg";
  REQUIRE(fit.fit(text, 10));
  CHECK(text.size() == 20);
  calls = 0;
  REQUIRE(fit.fit(text, 10));
  CHECK(calls == 0);
  CHECK(fit.report().find("by the server's counts of 1, the others by 2.00 bytes a token, an estimate (POST "
                          "/tokenize: HTTP 404): ") != std::string::npos);
}

TEST_CASE("two counts of the server give the scale") {
  const auto scale = scale_of(400, 87, 200, 47);
  REQUIRE(scale);
  CHECK(scale->bytes_per_token == doctest::Approx(5));
  CHECK(scale->overhead_tokens == 7);
  CHECK_FALSE(scale_of(400, 80, 200, 80));
  CHECK_FALSE(scale_of(200, 80, 200, 40));
}

TEST_CASE("lengths are drawn by the seed") {
  RunFile::Rows rows;
  rows.input_tokens = Length{.kind = Length::Kind::uniform, .mean = 1, .stddev = 0, .min = 3, .max = 9};
  rows.output_tokens = Length{.kind = Length::Kind::normal, .mean = 5, .stddev = 50, .min = 2, .max = 8};
  const auto drawn = [&](uint64_t seed) {
    PromptFit fit(rows, seed, nullptr, {});
    std::vector<int64_t> all;
    for (int i = 0; i < 200; ++i) {
      all.push_back(*fit.draw_input());
      const int64_t output = *fit.draw_output();
      CHECK(output >= 2);
      CHECK(output <= 8);
    }
    return all;
  };
  const auto first = drawn(1);
  CHECK(first == drawn(1));
  CHECK(first != drawn(2));
  CHECK(std::set<int64_t>(first.begin(), first.end()) == std::set<int64_t>{3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("rows of the data are fitted behind the filter, and asked for that output") {
  SampleRules rules;
  rules.tokenizer = test::fake_tokenizer();
  rules.rows.on_end = RunFile::Rows::OnEnd::stop;
  rules.rows.input_tokens = fixed(4);
  rules.rows.output_tokens = fixed(9);
  rules.rows.filter.name = "own";
  rules.rows.filter.min_prompt = 2;
  auto source = SampleSource::open(fake_dataset(-2, texts({"short", "a b c", "a b c d e f"})), rules);
  REQUIRE(source);
  for (const char* expected : {"a b c a", "a b c d"}) {
    const auto row = (*source)->next();
    REQUIRE(row);
    REQUIRE(row->sample != nullptr);
    CHECK(text_of(*row->sample).starts_with(expected));
    CHECK(words(text_of(*row->sample)) == 4);
    CHECK(row->sample->prompt_tokens == 4);
    CHECK(row->sample->output_tokens == 9);
    CHECK(row->sample->output_mode == TKM_OUTPUT_EXACT);
  }
  CHECK((*source)->fit().report().ends_with("by the tokenizer: 1 cut, 1 repeated, 0 as they were"));
}

TEST_CASE("of a conversation the last text is fitted; what cannot be fitted is a bad record") {
  SampleRules rules;
  rules.tokenizer = test::fake_tokenizer();
  rules.rows.input_tokens = fixed(10);
  rules.fit_scale.overhead_tokens = 2;
  auto source = SampleSource::open(fake_dataset(-2, chat("why")), rules);
  REQUIRE(source);
  const auto row = (*source)->next();
  REQUIRE(row);
  const tkm_message& last = row->sample->messages().back();
  const std::string fitted(last.parts[0].data.data, last.parts[0].data.size);
  CHECK(fitted.starts_with("why why why why wh"));  // cut anywhere in the last one
  CHECK(words(fitted) == 5);
  CHECK(row->sample->prompt_tokens == 10);
  rules.rows.input_tokens = fixed(5);
  auto refused = SampleSource::open(fake_dataset(-2, chat("why")), rules);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "the dataset: record 1: has 5 tokens in front of its last text already, of 5 that "
        "dataset.rows.input_tokens asks");
  rules.rows.on_bad = RunFile::Rows::OnBad::skip;
  refused = SampleSource::open(fake_dataset(-2, chat("why")), rules);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "the dataset has no usable record");
}

TEST_CASE("a list of token ids is cut or repeated as it is") {
  SampleRules rules;
  rules.rows.input_tokens = fixed(5);
  auto source = SampleSource::open(
      fake_dataset(-2,
                   [said = false](const tkm_sample_out& out, const tkm_writer&) mutable -> tkm_status {
                     if (std::exchange(said, true)) return TKM_END;
                     const int32_t ids[] = {7, 8, 9};
                     out.tokens(out.ctx, ids, 3);
                     return TKM_OK;
                   }),
      rules);
  REQUIRE(source);
  CHECK((*source)->next()->sample->tokens == std::vector<int32_t>{7, 8, 9, 7, 8});
}

}  // namespace tokometer

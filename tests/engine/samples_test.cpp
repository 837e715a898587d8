#include "engine/samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/fake_plugins.hpp"
#include "engine/sessions.hpp"

namespace tokometer {
namespace {

using test::fake_dataset;
using Rows = RunFile::Rows;

tkm_str str(const std::string& text) {
  return {text.data(), text.size()};
}

// Gives "prompt 0", "prompt 1", ... ; the records listed in `bad` are refused.
test::DatasetStep prompts(uint64_t count, std::vector<uint64_t> bad = {}) {
  return [count, bad = std::move(bad), at = uint64_t{0}](const tkm_sample_out& out,
                                                         const tkm_writer& err) mutable -> tkm_status {
    if (at == count) return TKM_END;
    const uint64_t record = at++;
    if (std::find(bad.begin(), bad.end(), record) != bad.end()) {
      const std::string sentence = "file: record " + std::to_string(record) + ": empty prompt";
      err.write(err.ctx, str(sentence));
      return TKM_E_INPUT;
    }
    const std::string text = "prompt " + std::to_string(record);
    out.text(out.ctx, str(text));
    out.lengths(out.ctx, 2, 7, TKM_OUTPUT_EXACT);
    return TKM_OK;
  };
}

std::string text_of(const Sample& sample) {
  return std::string(sample.text().data, sample.text().size);
}

std::vector<std::string> texts(SampleSource& source, size_t at_most) {
  std::vector<std::string> all;
  while (all.size() < at_most) {
    auto row = source.next();
    if (!row || row->sample == nullptr) break;
    all.push_back(text_of(*row->sample));
  }
  return all;
}

}  // namespace

TEST_CASE("rows of a finite dataset: order, repeat, stop, error") {
  SampleRules rules;
  SUBCASE("repeat from the start") {
    auto source = SampleSource::open(fake_dataset(-2, prompts(2)), rules);
    REQUIRE(source);
    CHECK(texts(**source, 5) ==
          std::vector<std::string>{"prompt 0", "prompt 1", "prompt 0", "prompt 1", "prompt 0"});
  }
  SUBCASE("stop") {
    rules.rows.on_end = Rows::OnEnd::stop;
    auto source = SampleSource::open(fake_dataset(-2, prompts(2)), rules);
    CHECK(texts(**source, 5).size() == 2);
  }
  SUBCASE("error names the count and what to do") {
    rules.rows.on_end = Rows::OnEnd::error;
    auto source = SampleSource::open(fake_dataset(-2, prompts(2)), rules);
    CHECK(texts(**source, 2).size() == 2);
    CHECK((*source)->next().error().message == "2 records, more are needed: set dataset.rows.on_end: repeat");
  }
  SUBCASE("limit") {
    rules.rows.limit = 3;
    rules.rows.on_end = Rows::OnEnd::stop;
    auto source = SampleSource::open(fake_dataset(-2, prompts(10)), rules);
    CHECK(texts(**source, 100).size() == 3);
  }
}

TEST_CASE("shuffle is a permutation that the seed decides") {
  SampleRules rules;
  rules.rows.order = Rows::Order::shuffle;
  const auto shuffled = [&](uint64_t seed) {
    rules.seed = seed;
    auto source = SampleSource::open(fake_dataset(-2, prompts(50)), rules);
    return texts(**source, 50);
  };
  const auto first = shuffled(1);
  CHECK(first == shuffled(1));
  CHECK(first != shuffled(2));
  auto sorted = first;
  std::sort(sorted.begin(), sorted.end());
  CHECK(std::unique(sorted.begin(), sorted.end()) == sorted.end());
}

TEST_CASE("a bad record refuses the data, or is counted and left out") {
  SampleRules rules;
  auto refused = SampleSource::open(fake_dataset(-2, prompts(3, {1})), rules);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "file: record 1: empty prompt");
  rules.rows.on_bad = Rows::OnBad::skip;
  rules.rows.on_end = Rows::OnEnd::stop;
  auto source = SampleSource::open(fake_dataset(-2, prompts(3, {1})), rules);
  CHECK(texts(**source, 9) == std::vector<std::string>{"prompt 0", "prompt 2"});
  CHECK((*source)->skipped() == 1);
}

// Rows with a prompt and an answer of so many bytes; -1: no answer.
test::DatasetStep answered(std::vector<std::pair<size_t, int>> rows) {
  return [rows = std::move(rows), at = size_t{0}](const tkm_sample_out& out,
                                                  const tkm_writer&) mutable -> tkm_status {
    if (at == rows.size()) return TKM_END;
    const auto [prompt, answer] = rows[at++];
    out.text(out.ctx, str(std::string(prompt, 'p')));
    if (answer >= 0) out.answer(out.ctx, str(std::string(static_cast<size_t>(answer), 'a')));
    return TKM_OK;
  };
}

TEST_CASE("an answer gives the length to ask for, where the data state none") {
  auto source = SampleSource::open(fake_dataset(-2, answered({{8, 41}, {8, -1}, {8, 0}})), {});
  REQUIRE(source);
  CHECK((*source)->next()->sample->output_tokens == 11);
  CHECK((*source)->next()->sample->output_tokens == -1);
  CHECK((*source)->next()->sample->output_tokens == -1);
}

TEST_CASE("rows.filter: each rule leaves out what it says, and is counted") {
  RunFile::RowFilter vllm{
      .name = "vllm", .turns = 2, .min_prompt = 4, .max_prompt = 1024, .min_output = 4, .max_total = 2048};
  SampleRules rules;
  rules.rows.on_end = Rows::OnEnd::stop;
  rules.rows.filter = vllm;
  const std::vector<std::pair<size_t, int>> rows{{16, -1},     {12, 16},     {16, 12}, {4097, 16},
                                                 {4096, 4097}, {4096, 4096}, {13, 13}};
  SUBCASE("vllm") {
    auto source = SampleSource::open(fake_dataset(-2, answered(rows)), rules);
    REQUIRE(source);
    CHECK(texts(**source, 9) == std::vector<std::string>{std::string(4096, 'p'), std::string(13, 'p')});
    CHECK(
        (*source)->filter().report() ==
        "filter vllm left out 5 of 7 rows (turns 1, min_prompt 1, max_prompt 1, min_output 1, max_total 1); "
        "lengths that the data do not state are estimated, 4 bytes a token");
  }
  SUBCASE("the answers do not matter where the run file fixes the length") {
    rules.output_tokens = 1024;
    auto source = SampleSource::open(fake_dataset(-2, answered(rows)), rules);
    REQUIRE(source);
    CHECK(texts(**source, 9).size() == 4);
  }
  SUBCASE("the limit counts what is used") {
    rules.rows.limit = 1;
    auto source = SampleSource::open(fake_dataset(-2, answered(rows)), rules);
    REQUIRE(source);
    CHECK(texts(**source, 9) == std::vector<std::string>{std::string(4096, 'p')});
  }
  SUBCASE("lengths that the data state are taken as they are") {
    rules.rows.filter = {.name = "own", .min_output = 8};
    auto source = SampleSource::open(fake_dataset(-2, prompts(3)), rules);
    REQUIRE_FALSE(source);
    CHECK(source.error().message ==
          "the dataset has no usable record: filter own left out 3 of 3 rows (min_output 3); "
          "lengths that the data do not state are estimated, 4 bytes a token");
  }
  SUBCASE("no end, no filter") {
    auto source = SampleSource::open(fake_dataset(-1, prompts(UINT64_MAX)), rules);
    REQUIRE_FALSE(source);
    CHECK(source.error().message == "dataset.rows.filter: needs data with an end");
  }
}

TEST_CASE("a dataset without a usable record is refused") {
  auto source = SampleSource::open(fake_dataset(-2, prompts(0)), {});
  REQUIRE_FALSE(source);
  CHECK(source.error().message == "the dataset has no usable record");
}

TEST_CASE("an endless dataset is read as it goes") {
  auto source = SampleSource::open(fake_dataset(-1, prompts(UINT64_MAX)), {});
  CHECK(texts(**source, 3) == std::vector<std::string>{"prompt 0", "prompt 1", "prompt 2"});
}

TEST_CASE("the text becomes a chat message, gets a nonce, is cut for calibration") {
  SampleRules rules;
  rules.text_as_chat = true;
  rules.nonce = "k3f9";
  rules.word_limit = 1;
  auto source = SampleSource::open(fake_dataset(-2, prompts(1)), rules);
  const auto sample = (*source)->next()->sample;
  REQUIRE(sample->messages().size() == 1);
  CHECK(sample->form == TKM_FORM_CHAT);
  const tkm_message& message = sample->messages()[0];
  CHECK(std::string(message.role.data, message.role.size) == "user");
  CHECK(std::string(message.parts[0].data.data, message.parts[0].data.size) == "k3f9 prompt");
  CHECK(sample->output_tokens == 7);
  CHECK(sample->output_mode == TKM_OUTPUT_EXACT);
}

TEST_CASE("the feeder hands out the same samples, ends, and tells why") {
  SampleRules rules;
  rules.rows.on_end = Rows::OnEnd::error;
  auto source = SampleSource::open(fake_dataset(-2, prompts(3000)), rules);
  Feeder feeder(std::move(*source));
  for (int i = 0; i < 3000; ++i) {
    const auto sample = feeder.take();
    REQUIRE(sample != nullptr);
    REQUIRE(text_of(*sample) == "prompt " + std::to_string(i));
  }
  CHECK(feeder.take() == nullptr);
  CHECK(feeder.fault() == "3000 records, more are needed: set dataset.rows.on_end: repeat");
}

// A record for each arrival; -1: a record without one.
test::DatasetStep arrivals(std::vector<int64_t> times) {
  return [times = std::move(times), at = size_t{0}](const tkm_sample_out& out,
                                                    const tkm_writer&) mutable -> tkm_status {
    if (at == times.size()) return TKM_END;
    out.text(out.ctx, str("prompt"));
    if (times[at] >= 0) out.arrival(out.ctx, times[at]);
    return ++at, TKM_OK;
  };
}

std::vector<int64_t> arrivals_of(SampleSource& source, size_t at_most) {
  std::vector<int64_t> all;
  while (all.size() < at_most) {
    const auto row = source.next();
    if (!row || row->sample == nullptr) break;
    all.push_back(row->arrival_ns.value_or(-1));
  }
  return all;
}

TEST_CASE("arrivals come with the samples; a repeated trace goes on at its mean rate") {
  SampleRules rules;
  rules.needs_arrivals = true;
  auto source = SampleSource::open(fake_dataset(-2, arrivals({100, 100, 160})), rules);
  REQUIRE(source);
  CHECK(arrivals_of(**source, 7) == std::vector<int64_t>{100, 100, 160, 190, 190, 250, 280});
  rules.rows.on_end = Rows::OnEnd::stop;
  source = SampleSource::open(fake_dataset(-2, arrivals({100, 100, 160})), rules);
  CHECK(arrivals_of(**source, 7) == std::vector<int64_t>{100, 100, 160});
  Feeder feeder(std::move(*SampleSource::open(fake_dataset(-2, arrivals({5, 9})), rules)));
  for (const int64_t expected : {5, 9}) {
    CHECK(feeder.next_arrival_ns() == expected);
    CHECK(feeder.next_arrival_ns() == expected);  // until it is taken
    feeder.take();
  }
  CHECK_FALSE(feeder.next_arrival_ns());
}

TEST_CASE("data that cannot be followed as a trace are refused, with file and record") {
  struct Bad {
    std::vector<int64_t> times;
    const char* sentence;
  };
  const Bad cases[] = {
      {{0, 5, -1, 9},
       "t.jsonl: record 3 has no arrival time, which this load takes from each record; name its field in the "
       "dataset's options, or use a load with a rate of its own"},
      {{0, 2'000'000'000, 500'000'000},
       "t.jsonl: record 3 arrives 1.5s before the record in front of it; sort the data by time"}};
  SampleRules rules;
  rules.needs_arrivals = true;
  rules.data_name = "t.jsonl";
  for (const Bad& it : cases) {
    auto source = SampleSource::open(fake_dataset(-2, arrivals(it.times)), rules);
    REQUIRE_FALSE(source);
    CHECK(source.error().message == it.sentence);
    rules.needs_arrivals = false;
    CHECK(SampleSource::open(fake_dataset(-2, arrivals(it.times)), rules));  // as prompts they are good
    rules.needs_arrivals = true;
  }
  auto source = SampleSource::open(fake_dataset(-2, arrivals({7, 7})), rules);
  CHECK(arrivals_of(**source, 9).size() == 2);
  CHECK((*source)->next().error().message ==
        "all records of the data arrive at the same time, so they cannot be repeated; set "
        "dataset.rows.on_end: stop");
}

namespace {

struct SaidTurn {
  uint32_t turn;
  bool last;
  int32_t history = TKM_HISTORY_SERVER;
};

test::DatasetStep turns(std::vector<SaidTurn> all) {
  return [all = std::move(all), at = size_t{0}](const tkm_sample_out& out, const tkm_writer&) mutable {
    if (at == all.size()) return tkm_status{TKM_END};
    const SaidTurn& it = all[at++];
    const tkm_turn turn{.struct_size = sizeof(tkm_turn),
                        .turn = it.turn,
                        .last = it.last ? 1 : 0,
                        .history = it.history,
                        .think_time_ns = 5,
                        .session = test::str("talk")};
    const std::string text = "question " + std::to_string(at);
    out.text(out.ctx, str(text));
    out.turn(out.ctx, &turn);
    out.answer(out.ctx, test::str("scripted"));
    return tkm_status{TKM_OK};
  };
}

}  // namespace

TEST_CASE("turns of a session become one row") {
  SampleRules rules;
  rules.rows.on_end = Rows::OnEnd::stop;
  rules.nonce = "cold";
  auto source =
      SampleSource::open(fake_dataset(-2, turns({{0, false}, {1, false}, {2, true}, {0, true}})), rules);
  REQUIRE(source);
  const auto first = (*source)->next(), second = (*source)->next(), end = (*source)->next();
  REQUIRE(first);
  REQUIRE(second);
  REQUIRE(end);
  CHECK(end->sample == nullptr);
  CHECK(second->sample->later.empty());
  CHECK(second->sample->index == 1);
  REQUIRE(first->sample->later.size() == 2);
  const Sample& last = *first->sample->later.back();
  CHECK(last.index == 0);
  CHECK(last.think_time_ns == 5);
  CHECK(first->sample->keeps_answer);
  CHECK_FALSE(last.keeps_answer);            // nothing comes behind it
  CHECK(first->sample->answer().size == 0);  // no turn sends the script
  const auto said = [](const Sample& sample) {
    const tkm_str text = sample.messages().back().parts[0].data;
    return std::string(text.data, text.size);
  };
  CHECK(said(*first->sample) == "cold question 1");
  CHECK(said(last) == "question 3");  // the cold word stands in the history
}

TEST_CASE("what goes in front of a turn") {
  SampleRules rules;
  rules.rows.on_end = Rows::OnEnd::stop;
  const auto roles = [&](int32_t history) {
    auto source = SampleSource::open(
        fake_dataset(-2, turns({{0, false, history}, {1, false, history}, {2, true, history}})), rules);
    REQUIRE(source);
    Session session;
    session.id = "s1";
    session.first = (*source)->next()->sample;
    session.turn = 2;
    session.answers = {"real 1", "real 2"};
    session.carry = "state";
    const Sample& sample = *session.sample(2);
    tkm_prompt prompt{};
    prompt.messages = sample.messages().data();
    prompt.message_count = sample.messages().size();
    History put;
    put.put(session, prompt);
    CHECK(std::string(prompt.carry.data, prompt.carry.size) == "state");
    CHECK(prompt.turn == 2);
    CHECK(prompt.history_count + 1 == prompt.message_count);
    std::string all;
    for (size_t i = 0; i < prompt.message_count; ++i) {
      const tkm_str text = prompt.messages[i].parts[0].data;
      all += std::string(text.data, text.size) + "; ";
    }
    return all;
  };
  CHECK(roles(TKM_HISTORY_SERVER) == "question 1; real 1; question 2; real 2; question 3; ");
  CHECK(roles(TKM_HISTORY_SCRIPT) == "question 1; scripted; question 2; scripted; question 3; ");
  CHECK(roles(TKM_HISTORY_NONE) == "question 3; ");
}

TEST_CASE("a dataset that breaks off a session is refused") {
  SampleRules rules;
  auto broken = SampleSource::open(fake_dataset(-2, turns({{0, false}, {2, true}})), rules);
  REQUIRE_FALSE(broken);
  CHECK(broken.error().message ==
        "the dataset's session \"talk\" has no turn 1, though no turn before it was the last");
  auto late = SampleSource::open(fake_dataset(-2, turns({{1, true}})), rules);
  REQUIRE_FALSE(late);
  CHECK(late.error().message == "the dataset's session \"talk\" begins with turn 1");
}

}  // namespace tokometer

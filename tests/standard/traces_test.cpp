// The traces, in the exact forms in which they are published.
#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;
using host::Sample;
using host::words_in;

std::vector<Sample> read(std::string_view id, std::string_view bytes, std::string_view options = "") {
  const Folder folder;
  Dataset dataset(id, reading(folder.write("trace", bytes), options));
  REQUIRE(dataset.error() == "");
  CHECK(dataset.size() == -2);
  return dataset.all();
}

void check_lengths(const Sample& sample, int64_t input, int64_t output, int64_t arrival_ns) {
  CHECK(sample.error == "");
  CHECK(words_in(sample.text) == input);
  CHECK(sample.prompt_tokens == input);
  CHECK(sample.output_tokens == output);
  CHECK(sample.output_mode == TKM_OUTPUT_EXACT);
  CHECK(sample.arrival_ns == arrival_ns);
}

TEST_CASE("azure: dates with digits of 100 ns, lengths, and more columns in later traces") {
  for (const bool later : {false, true}) {
    const std::string header = later ? "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens"
                                     : "TIMESTAMP,ContextTokens,GeneratedTokens";
    const std::string images = later ? ",0" : "";
    const auto samples = read("azure", header + "\r\n2023-11-16 18:17:03.9799600" + images +
                                           ",374,44\r\n2023-11-16 18:17:04.0319600" + images +
                                           ",396,109\r\n2023-11-17 00:00:00" + images + ",5,1");
    REQUIRE(samples.size() == 3);
    check_lengths(samples[0], 374, 44, 0);
    check_lengths(samples[1], 396, 109, 52'000'000);
    check_lengths(samples[2], 5, 1, 20'576'020'040'000);
  }
  const auto offset =
      read("azure",
           "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n"
           "2024-05-10T02:00:01.009930+02:00,2399,6\n2024-05-10T00:00:02.00993Z,1,6\n");
  REQUIRE(offset.size() == 3);
  check_lengths(offset[1], 2399, 6, 1'000'000'000);
  check_lengths(offset[2], 1, 6, 2'000'000'000);
}

TEST_CASE("burstgpt: columns by their names, older and newer files") {
  const auto older = read("burstgpt",
                          "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                          "5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,230,1317,API log\n");
  REQUIRE(older.size() == 2);
  check_lengths(older[0], 472, 18, 0);
  check_lengths(older[1], 1087, 230, 40'000'000'000);
  const auto newer =
      read("burstgpt",
           "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
           "5.25,s1,1.5,ChatGPT,10,2,12,Conversation log\n5.5,s2,1.5,ChatGPT,20,3,23,Conversation log\n");
  REQUIRE(newer.size() == 2);
  check_lengths(newer[1], 20, 3, 250'000'000);
}

TEST_CASE("mooncake: milliseconds, and equal block ids are equal beginnings") {
  const auto samples =
      read("mooncake",
           R"({"timestamp": 27482, "input_length": 1100, "output_length": 52, "hash_ids": [46, 47, 48]}
{"timestamp": 27482, "input_length": 1030, "output_length": 26, "hash_ids": [46, 47, 49]}
{"timestamp": 30535, "input_length": 600, "output_length": 3, "hash_ids": [46, 50]}
{"timestamp": 30535, "input_length": 600, "output_length": 3}
)");
  REQUIRE(samples.size() == 4);
  check_lengths(samples[0], 1100, 52, 0);
  check_lengths(samples[1], 1030, 26, 0);
  check_lengths(samples[2], 600, 3, 3'053'000'000);
  check_lengths(samples[3], 600, 3, 3'053'000'000);
  const auto same_words = [&](size_t one, size_t other) {
    const std::string &a = samples[one].text, &b = samples[other].text;
    const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    const std::string_view same = std::string_view(a).substr(0, static_cast<size_t>(end - a.begin()));
    return words_in(same.substr(0, same.rfind(' ') + 1));
  };
  CHECK(same_words(0, 1) == 1024);  // what differs is drawn from thousands of words: a chance match is rare
  CHECK(same_words(0, 2) == 512);
  CHECK(same_words(2, 3) < 4);
}

TEST_CASE("mooncake: token ids, the size of a block, and a text in place of a length") {
  const auto ids = read("mooncake",
                        R"([{"timestamp":0,"input_length":12,"output_length":1,"hash_ids":[1,2]},
                           {"timestamp":0,"input_length":9,"output_length":1,"hash_ids":[1,3]}])",
                        R"(,"block_tokens":8,"form":"token_ids","vocab_size":100000)");
  REQUIRE(ids.size() == 2);
  REQUIRE(ids[0].tokens.size() == 12);
  REQUIRE(ids[1].tokens.size() == 9);
  CHECK(std::equal(ids[0].tokens.begin(), ids[0].tokens.begin() + 8, ids[1].tokens.begin()));
  CHECK(ids[0].tokens[8] != ids[1].tokens[8]);
  const auto text =
      read("mooncake", R"({"timestamp":1,"input_length":2,"output_length":9,"text_input":"as it was"})");
  CHECK(text[0].text == "as it was");
  CHECK(text[0].output_tokens == 9);
  CHECK(text[0].arrival_ns == 0);
}

TEST_CASE("traces: from and to cut out a part; times count from the first record of the file") {
  std::string file = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
  for (int second = 100; second < 200; second += 10)
    file += std::to_string(second) + ",m," + std::to_string(second) + ",1,1,l\n";
  const auto samples = read("burstgpt", file, R"(,"from":25,"to":50)");
  REQUIRE(samples.size() == 2);
  check_lengths(samples[0], 130, 1, 30'000'000'000);
  check_lengths(samples[1], 140, 1, 40'000'000'000);
  CHECK(read("burstgpt", file, R"(,"from":1000)").empty());
  const Folder folder;
  Dataset bad("burstgpt", reading(folder.write("t", file), R"(,"from":5,"to":5)"));
  CHECK(bad.error() == "from, to: \"to\" must lie behind \"from\"");
}

TEST_CASE("traces: equal for equal seeds") {
  const std::string file = R"({"timestamp":0,"input_length":700,"output_length":1,"hash_ids":[1]})";
  const auto prompt = [&](uint64_t seed) {
    const Folder folder;
    host::Setup setup = reading(folder.write("t", file));
    setup.seed = seed;
    return Dataset("mooncake", setup).next().text;
  };
  CHECK(prompt(1) == prompt(1));
  CHECK(prompt(1) != prompt(2));
}

TEST_CASE("traces: bad records are named, and reading goes on behind them") {
  struct Case {
    const char *id, *record, *sentence;
  };
  const Case cases[] = {
      {"mooncake", R"({"input_length":5,"output_length":1})",
       R"("timestamp" is missing; found: input_length, output_length)"},
      {"mooncake", R"({"timestamp":"soon","input_length":5,"output_length":1})",
       R"("timestamp" must be a time (got "soon"))"},
      {"mooncake", R"({"timestamp":null,"input_length":5,"output_length":1})",
       R"("timestamp" must be a time (got null))"},
      {"mooncake", R"({"timestamp":10,"output_length":1})",
       R"("input_length" is missing; found: timestamp, output_length)"},
      {"mooncake", R"({"timestamp":10,"input_length":0,"output_length":1})",
       R"("input_length" must be a whole number from 1 to 10,000,000 (got 0))"},
      {"mooncake", R"({"timestamp":10,"input_length":5,"output_length":1.5})",
       R"("output_length" must be a whole number from 1 to 10,000,000 (got 1.5))"},
      {"mooncake", R"({"timestamp":10,"input_length":5,"output_length":1,"hash_ids":7})",
       R"("hash_ids" must be a list (got 7))"},
      {"mooncake", R"({"timestamp":10,"input_length":5,"output_length":1,"hash_ids":["x"]})",
       R"("hash_ids" must hold whole numbers (got "x"))"},
      {"mooncake", "[]", "must be an object (got a list)"},
      {"azure", "2023-13-16 18:17:03,5,1", R"("TIMESTAMP" must be a time (got "2023-13-16 18:17:03"))"},
      {"azure", "2023-11-31 18:17:03,5,1", R"("TIMESTAMP" must be a time (got "2023-11-31 18:17:03"))"},
      {"azure", "2023-11-16 24:17:03,5,1", R"("TIMESTAMP" must be a time (got "2023-11-16 24:17:03"))"},
      {"azure", "2023-11-16 18:17:03x,5,1", R"("TIMESTAMP" must be a time (got "2023-11-16 18:17:03x"))"},
      {"azure", "2023-11-16 18:17,5,1", R"("TIMESTAMP" must be a time (got "2023-11-16 18:17"))"},
      {"azure", ",5,1", R"("TIMESTAMP" must be a time (got ""))"},
      {"azure", "2023-11-16 18:17:03,-5,1",
       R"("ContextTokens" must be a whole number from 1 to 10,000,000 (got "-5"))"},
      {"azure", "2023-11-16 18:17:03,5", "the header has 3 columns, this row 2"},
      {"burstgpt", "10,ChatGPT,472,0,472,Conversation log",
       R"("Response tokens" is 0: the request failed there; use the file without fails, or dataset.rows.on_bad: skip)"},
      {"burstgpt", "10,ChatGPT,,3,3,Conversation log",
       R"("Request tokens" must be a whole number from 1 to 10,000,000 (got ""))"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.id);
    CAPTURE(it.record);
    const std::string id(it.id);
    const std::string header = id == "azure" ? "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                               : id == "burstgpt"
                                   ? "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                                   : "\n";
    const auto good = [&](int at) -> std::string {
      if (id == "azure") return "2023-11-16 18:17:0" + std::to_string(at / 10) + ",5,1\n";
      if (id == "burstgpt") return std::to_string(at) + ",m,5,1,6,l\n";
      return R"({"timestamp":)" + std::to_string(at) + R"(,"input_length":5,"output_length":1})" + "\n";
    };
    const Folder folder;
    const std::string path = folder.write("trace", header + good(10) + it.record + "\n" + good(90));
    Dataset dataset(id, reading(path));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == 3);
    CHECK(samples[0].error == "");
    CHECK(samples[1].status == TKM_E_INPUT);
    CHECK(samples[1].error == path + ":3: " + it.sentence);
    CHECK(samples[2].error == "");
  }
}

TEST_CASE("traces: a CSV that lacks a column is refused before the run") {
  const Folder folder;
  const std::string path = folder.write("t.csv", "TIMESTAMP,GeneratedTokens\n");
  Dataset dataset("azure", reading(path));
  CHECK(dataset.status() == TKM_E_CONFIG);
  CHECK(dataset.error() ==
        path + ":1: the column \"ContextTokens\" is missing; found: TIMESTAMP, GeneratedTokens");
}

}  // namespace

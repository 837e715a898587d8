#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;
using host::Sample;

std::vector<Sample> read(std::string_view bytes, std::string_view options = "") {
  const Folder folder;
  Dataset dataset("csv", reading(folder.write("p.csv", bytes), options));
  REQUIRE(dataset.error() == "");
  CHECK(dataset.size() == -2);
  return dataset.all();
}

TEST_CASE("csv: quotes, commas and line ends as RFC 4180 writes them") {
  struct Case {
    const char *row, *prompt;
  };
  const Case cases[] = {
      {"plain,1", "plain"},
      {"\"in quotes\",1", "in quotes"},
      {"\"a, b\",1", "a, b"},
      {"\"she said \"\"no\"\"\",1", "she said \"no\""},
      {"\"two\nlines\",1", "two\nlines"},
      {"\"two\r\nlines\",1", "two\r\nlines"},
      {"\"\"\"\",1", "\""},
      {" blanks are kept ,1", " blanks are kept "},
      {"\xC3\xBC,1", "ü"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.row);
    for (const std::string end : {"\n", "\r\n"}) {
      const auto samples = read("prompt,n" + end + it.row + end + "last,2" + end);
      REQUIRE(samples.size() == 2);
      CHECK(samples[0].text == it.prompt);
      CHECK(samples[1].text == "last");
    }
  }
}

TEST_CASE("csv: the end of the file, empty lines and a byte order mark") {
  CHECK(read("prompt\none").at(0).text == "one");
  CHECK(read("prompt\n\"one\"").at(0).text == "one");
  CHECK(read("prompt\n\"one\"\r\n\r\n").size() == 1);
  CHECK(read("\xEF\xBB\xBF\"prompt\",b\r\n\r\none,2\r\n").at(0).text == "one");
  CHECK(read("prompt,b\n").empty());
  CHECK(read("prompt,b").empty());
}

TEST_CASE("csv: columns by name") {
  const auto usual = read("system_prompt,question,output_tokens\nbe kind,q,7\n,q2,\n");
  REQUIRE(usual.size() == 2);
  REQUIRE(usual[0].messages.size() == 2);
  CHECK(usual[0].messages[0].parts[0].second == "be kind");
  CHECK(usual[0].messages[1].parts[0].second == "q");
  CHECK(usual[0].output_tokens == 7);
  CHECK(usual[1].text == "q2");  // an empty cell is as good as none
  CHECK(usual[1].output_tokens == -1);
  const auto named = read("at,ask,n,reply,prompt\n2.5,q,9,a,no\n4,q2,9,a2,no\n",
                          R"(,"prompt":"ask","output_tokens":"n","answer":"reply","timestamp":"at")");
  REQUIRE(named.size() == 2);
  CHECK(named[0].text == "q");
  CHECK(named[0].output_tokens == 9);
  CHECK(named[0].answer == "a");
  CHECK(named[0].arrival_ns == 0);
  CHECK(named[1].arrival_ns == 1'500'000'000);
}

TEST_CASE("csv: bad rows are named by their line, and reading goes on behind them") {
  struct Case {
    std::string row, sentence;
  };
  const Case cases[] = {
      {"a,1,2", "the header has 2 columns, this row 3"},
      {"a", "the header has 2 columns, this row 1"},
      {"a\"b,1", "a quote inside a field that does not begin with one (byte 31)"},
      {"\"a\"b,1", "text follows a closing quote (byte 33)"},
      {"\"a\" ,1", "text follows a closing quote (byte 33)"},
      {"\xC3,1", "not valid UTF-8"},
      {",1", "\"prompt\" is empty"},
      {"  ,1", "empty prompt"},
      {"a,x", R"("output_tokens" must be a whole number from 1 to 10,000,000 (got "x"))"},
      {"a,1.5", R"("output_tokens" must be a whole number from 1 to 10,000,000 (got "1.5"))"},
      {"a,0", R"("output_tokens" must be a whole number from 1 to 10,000,000 (got "0"))"},
      {"a,99999999999999999999",
       R"("output_tokens" must be a whole number from 1 to 10,000,000 (got "99999999999999999999"))"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.row);
    const Folder folder;
    const std::string path =
        folder.write("p.csv", "prompt,output_tokens\n\"a\nb\",1\n" + it.row + "\ngood,3\n");
    Dataset dataset("csv", reading(path));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == 3);
    CHECK(samples[0].text == "a\nb");
    CHECK(samples[1].status == TKM_E_INPUT);
    CHECK(samples[1].error == path + ":4: " + it.sentence);
    CHECK(samples[2].text == "good");
  }
}

TEST_CASE("csv: a file that ends inside quotes is named by the line where they begin") {
  const Folder folder;
  const std::string path = folder.write("p.csv", "prompt\none\n\"two\nthree\n");
  Dataset dataset("csv", reading(path));
  const auto samples = dataset.all();
  REQUIRE(samples.size() == 2);
  CHECK(samples[1].error == path + ":3: the file ends inside a quoted field (byte 22)");
}

TEST_CASE("csv: headers that cannot be used are refused before the run") {
  struct Case {
    const char *header, *options, *sentence;
  };
  const Case cases[] = {
      {"prompt,prompt", "", ":1: two columns are named \"prompt\""},
      {"prompt,,b", "", ":1: column 2 has no name"},
      {"\"prompt", "", ":1: the file ends inside a quoted field (byte 7)"},
      {"a,b", R"(,"prompt":"ask")", ":1: the column \"ask\" is missing; found: a, b"},
      {"prompt,b", R"(,"timestamp":"at")", ":1: the column \"at\" is missing; found: prompt, b"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.header);
    const Folder folder;
    const std::string path = folder.write("p.csv", it.header);
    Dataset dataset("csv", reading(path, it.options));
    CHECK(dataset.status() == TKM_E_CONFIG);
    CHECK(dataset.error() == path + it.sentence);
  }
}

TEST_CASE("csv: no usual column at all") {
  const Folder folder;
  const std::string path = folder.write("p.csv", "a,b\n1,2\n");
  Dataset dataset("csv", reading(path));
  CHECK(dataset.next().error == path + ":2: \"prompt\" is missing; found: a, b");
}

}  // namespace

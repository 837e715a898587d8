// The authors' files: what is read from them, and what is said about a faulty one.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "check/fixtures.hpp"
#include "check/player.hpp"

using namespace tokometer;
using namespace tokometer::check;

namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tokometer-fixtures-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a fixture with all its members") {
  const Folder folder;
  folder.write("a.body", "hello");
  folder.write(
      "a.events.json",
      R"({"response": {"component": "x", "stream": true, "choices": 2, "model": "m", "adapter": "l", "status": 207,
                   "headers": {"x-a": "1"}, "content_type": "text/plain", "grpc_status": 0, "messages": [2, 3],
                   "clean_end": false}, "events": [["began"], ["metric", "t", 1.5], ["usage", 1, -1, 2, -1]]})");
  folder.write("setup.json",
               R"({"x": {"options": {"n": 1}, "learn": [{"probe": "p", "status": 404, "body": {"a": 1}}]}})");
  const auto all = read_fixtures(folder.path());
  REQUIRE(all);
  REQUIRE(all->responses.size() == 1);
  const Fixture& it = all->responses.front();
  CHECK(it.name == "a");
  CHECK(it.component == "x");
  CHECK(it.expected == "began\nmetric t 1.5\nusage 1 -1 2 -1\n");
  CHECK(it.response.body == "hello");
  CHECK(it.response.status == 207);
  CHECK(it.response.headers.size() == 2);
  CHECK(it.response.message_ends == std::vector<size_t>{2, 5});
  CHECK_FALSE(it.response.has_clean_end);
  const Setup& setup = all->setup.at("x");
  CHECK(setup.options_json == R"({"n":1})");
  REQUIRE(setup.learned.size() == 1);
  CHECK(setup.learned.front().body == R"({"a":1})");
  CHECK(setup.learned.front().status == 404);
}

TEST_CASE("faulty fixtures") {
  struct Row {
    const char *text, *sentence;
  };
  const Row rows[] = {{"{", "not valid JSON"},
                      {"[]", "must be a JSON object"},
                      {R"({"events": []})", "\"response\" is missing"},
                      {R"({"response": {}})", "\"events\" is missing"},
                      {R"({"response": {}, "events": [1]})", "each event must be a list"},
                      {R"({"response": {"messages": [1]}, "events": []})", "must add up"}};
  for (const Row& row : rows) {
    const Folder folder;
    folder.write("a.body", "hello");
    folder.write("a.events.json", row.text);
    const auto all = read_fixtures(folder.path());
    REQUIRE_FALSE(all);
    CHECK(all.error().message.find(row.sentence) != std::string::npos);
    CHECK(all.error().file.ends_with("a.events.json"));
  }
  const Folder folder;
  folder.write("a.events.json", R"({"response": {}, "events": []})");
  CHECK_FALSE(read_fixtures(folder.path()));
  CHECK_FALSE(read_fixtures(folder.path() + "/none"));
}

TEST_CASE("the first difference of events") {
  CHECK(first_difference("began\ndone\n", "began\ndone\n") == "");
  CHECK(first_difference("began\ndone\n", "began\n") == "event 2 is nothing, not \"done\"");
  CHECK(first_difference("began\n", "began\ndone\n") == "event 2 is \"done\", not nothing");
  CHECK(first_difference("a\nb\n", "a\nc\n") == "event 2 is \"c\", not \"b\"");
}

#include <doctest/doctest.h>
#include <tokometer/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Step {
  double rate = 0;
  int64_t lasts_ns = 0;
  static void options(tkm::OptionSet<Step>& o) {
    o.add("rate", &Step::rate).required().above(0);
    o.add("lasts", &Step::lasts_ns).required().duration();
  }
};

struct Everything {
  int64_t size = 10;
  int32_t small = 3;
  double share = 0.5;
  bool flag = true;
  std::string api = "chat";
  std::string file;
  std::string key;
  int64_t every_ns = 1'500'000'000;
  double timeout_s = 2;
  int64_t buffer_bytes = 4096;
  std::vector<std::string> roles;
  std::vector<int64_t> sizes = {1, 2};
  std::optional<int64_t> maximum;
  std::vector<Step> steps;
  Step first = {.rate = 1, .lasts_ns = 5};

  static void options(tkm::OptionSet<Everything>& o) {
    o.add("size", &Everything::size).help("How \"many\".").at_least(1).at_most(100).example("5");
    o.add("small", &Everything::small).deprecated();
    o.add("share", &Everything::share).at_least(0).at_most(1);
    o.add("flag", &Everything::flag);
    o.add("api", &Everything::api).one_of({"chat", "completions"});
    o.add("file", &Everything::file).required().path().not_empty();
    o.add("key", &Everything::key).secret();
    o.add("every", &Everything::every_ns).duration().above(0).example("\"100ms\"");
    o.add("timeout", &Everything::timeout_s).duration();
    o.add("buffer", &Everything::buffer_bytes).bytes();
    o.add("roles", &Everything::roles).one_of({"user", "system"}).min_items(1);
    o.add("sizes", &Everything::sizes).at_least(0);
    o.add("maximum", &Everything::maximum);
    o.add("steps", &Everything::steps);
    o.add("first", &Everything::first);
  }
};

std::string fault_of(std::string_view json) {
  try {
    tkm::read_options<Everything>(json);
  } catch (const tkm::Error& error) {
    CHECK(error.status() == TKM_E_CONFIG);
    return std::string(error.text());
  }
  return "none";
}

}  // namespace

TEST_CASE("options: one declaration gives the schema") {
  CHECK(
      tkm::options_schema<Everything>() ==
      R"({"type":"object","properties":{)"
      R"("size":{"type":"integer","minimum":1,"maximum":100,"description":"How \"many\".","default":10,"examples":[5]},)"
      R"("small":{"type":"integer","deprecated":true,"default":3},)"
      R"("share":{"type":"number","minimum":0,"maximum":1,"default":0.5},)"
      R"("flag":{"type":"boolean","default":true},)"
      R"("api":{"type":"string","enum":["chat","completions"],"default":"chat"},)"
      R"("file":{"type":"string","format":"path","minLength":1},)"
      R"("key":{"type":"string","format":"secret","writeOnly":true},)"
      R"("every":{"type":"string","format":"duration","exclusiveMinimum":0,"default":"1.5s","examples":["100ms"]},)"
      R"("timeout":{"type":"string","format":"duration","default":"2s"},)"
      R"("buffer":{"type":"string","format":"bytes","default":"4096B"},)"
      R"("roles":{"type":"array","items":{"type":"string","enum":["user","system"]},"minItems":1},)"
      R"("sizes":{"type":"array","items":{"type":"integer","minimum":0},"default":[1,2]},)"
      R"("maximum":{"type":"integer"},)"
      R"("steps":{"type":"array","items":{"type":"object","properties":{)"
      R"("rate":{"type":"number","exclusiveMinimum":0},"lasts":{"type":"string","format":"duration"}},)"
      R"("required":["rate","lasts"]}},)"
      R"("first":{"type":"object","properties":{)"
      R"("rate":{"type":"number","exclusiveMinimum":0},"lasts":{"type":"string","format":"duration"}},)"
      R"("required":["rate","lasts"]}},)"
      R"("required":["file"]})");
}

TEST_CASE("options: the schema is made once") {
  CHECK(&tkm::options_schema<Everything>() == &tkm::options_schema<Everything>());
}

TEST_CASE("options: the canonical JSON becomes the struct") {
  const auto read = tkm::read_options<Everything>(
      R"({"size":7,"small":-1,"share":1,"flag":false,"api":"completions","file":"/a/b","key":"s3cret","every":0.25,)"
      R"("timeout":0.5,"buffer":1048576,"roles":["user"],"sizes":[],"maximum":9,)"
      R"("steps":[{"rate":1.5,"lasts":2},{"rate":2,"lasts":0.001}],"first":{"rate":3,"lasts":1}})");
  CHECK(read.size == 7);
  CHECK(read.small == -1);
  CHECK(read.share == 1.0);
  CHECK_FALSE(read.flag);
  CHECK(read.api == "completions");
  CHECK(read.file == "/a/b");
  CHECK(read.key == "s3cret");
  CHECK(read.every_ns == 250'000'000);
  CHECK(read.timeout_s == 0.5);
  CHECK(read.buffer_bytes == 1'048'576);
  CHECK(read.roles == std::vector<std::string>{"user"});
  CHECK(read.sizes.empty());
  CHECK(read.maximum == 9);
  REQUIRE(read.steps.size() == 2);
  CHECK(read.steps[1].rate == 2.0);
  CHECK(read.steps[1].lasts_ns == 1'000'000);
  CHECK(read.first.rate == 3.0);
}

TEST_CASE("options: what is absent keeps its default") {
  const auto read = tkm::read_options<Everything>(R"({"file":"x"})");
  CHECK(read.size == 10);
  CHECK(read.api == "chat");
  CHECK(read.every_ns == 1'500'000'000);
  CHECK(read.sizes == std::vector<int64_t>{1, 2});
  CHECK_FALSE(read.maximum.has_value());
  CHECK(read.first.lasts_ns == 5);
}

TEST_CASE("options: what the core should have refused is refused here as well, by name") {
  struct Case {
    const char* json;
    const char* starts;
  };
  const Case cases[] = {
      {"[]", "the options are no JSON object"},
      {"{", "the options are no JSON object"},
      {"", "option \"file\": missing"},
      {"{}", "option \"file\": missing"},
      {R"({"file":1})", "option \"file\""},
      {R"({"file":"x","size":0})", "option \"size\""},
      {R"({"file":"x","size":101})", "option \"size\""},
      {R"({"file":"x","size":1.5})", "option \"size\""},
      {R"({"file":"x","size":"1"})", "option \"size\""},
      {R"({"file":"x","small":3000000000})", "option \"small\""},
      {R"({"file":"x","share":1.1})", "option \"share\""},
      {R"({"file":"x","flag":1})", "option \"flag\""},
      {R"({"file":"x","api":"embed"})", "option \"api\""},
      {R"({"file":"x","every":0})", "option \"every\""},
      {R"({"file":"x","every":"1s"})", "option \"every\""},
      {R"({"file":"x","every":1e300})", "option \"every\""},
      {R"({"file":"x","roles":["user","root"]})", "option \"roles\""},
      {R"({"file":"x","sizes":[1,-1]})", "option \"sizes\""},
      {R"({"file":"x","maximum":null})", "option \"maximum\""},
      {R"({"file":"x","steps":[{"rate":1}]})", "option \"steps\""},
      {R"({"file":"x","steps":[1]})", "option \"steps\""},
      {R"({"file":"x","first":[]})", "option \"first\""},
  };
  for (const Case& each : cases) {
    const std::string fault = fault_of(each.json);
    CHECK_MESSAGE(fault.rfind(each.starts, 0) == 0, each.json, " gave: ", fault);
  }
  CHECK(fault_of(R"({"file":"x","size":0})").find("(found 0)") != std::string::npos);
}

TEST_CASE("options: a bad secret is not repeated in the message") {
  CHECK(fault_of(R"({"file":"x","key":["hunter2"]})").find("hunter2") == std::string::npos);
}

#include "cli/options.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tokometer;

namespace {

CommandLine parsed(const std::vector<std::string>& arguments) {
  auto line = parse_command_line(arguments);
  REQUIRE_MESSAGE(line.ok(), (line ? "" : line.error().message));
  return *line;
}

std::string refused(const std::vector<std::string>& arguments) {
  auto line = parse_command_line(arguments);
  REQUIRE_FALSE(line.ok());
  CHECK(line.errors().size() == 1);
  return line.error().message;
}

}  // namespace

TEST_CASE("each verb is read by its name") {
  const struct {
    std::vector<std::string> arguments;
    Verb verb;
    std::vector<std::string> inputs;
  } rows[] = {
      {{"run", "a.yaml", "b.yaml"}, Verb::run, {"a.yaml", "b.yaml"}},
      {{"run", "-"}, Verb::run, {"-"}},
      {{"validate", "a.yaml"}, Verb::validate, {"a.yaml"}},
      {{"render", "runs/x"}, Verb::render, {"runs/x"}},
      {{"plan", "a.yaml"}, Verb::plan, {"a.yaml"}},
      {{"probe", "http://h:8000"}, Verb::probe, {"http://h:8000"}},
      {{"report", "runs/x"}, Verb::report, {"runs/x"}},
      {{"verify", "runs/x", "--json"}, Verb::verify, {"runs/x"}},
      {{"schema"}, Verb::schema, {}},
      {{"schema", "sim"}, Verb::schema, {"sim"}},
      {{"init"}, Verb::init, {}},
      {{"init", "chat", "-o", "c.yaml"}, Verb::init, {"chat"}},
      {{"plugin", "list"}, Verb::plugin_list, {}},
      {{"plugin", "describe", "vllm", "--yaml"}, Verb::plugin_describe, {"vllm"}},
      {{"selftest", "--json"}, Verb::selftest, {}},
      {{"version"}, Verb::version, {}},
      {{"--version"}, Verb::version, {}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.arguments);
    const CommandLine line = parsed(row.arguments);
    CHECK(line.verb == row.verb);
    CHECK(line.inputs == row.inputs);
  }
}

TEST_CASE("a verb's name is an ordinary word behind a verb") {
  CHECK(parsed({"run", "report"}).inputs == std::vector<std::string>{"report"});
  CHECK(parsed({"plugin", "describe", "list"}).inputs == std::vector<std::string>{"list"});
}

TEST_CASE("overrides keep their order, --url and --model among them") {
  const CommandLine line = parsed({"run", "a.yaml", "--set", "a=1", "--set-file", "b=/f", "--url", "http://h",
                                   "--set-string", "c=2", "--model", "8", "--set=d=[1, 2]"});
  using Kind = SetOption::Kind;
  const std::vector<std::pair<Kind, std::string>> expected{
      {Kind::yaml, "a=1"}, {Kind::file, "b=/f"},         {Kind::text, "target.url=http://h"},
      {Kind::text, "c=2"}, {Kind::text, "model.name=8"}, {Kind::yaml, "d=[1, 2]"}};
  REQUIRE(line.sets.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(line.sets[i].kind == expected[i].first);
    CHECK(line.sets[i].assignment == expected[i].second);
  }
  CHECK(line.url == "http://h");
  CHECK(line.inputs == std::vector<std::string>{"a.yaml"});
}

TEST_CASE("other flags") {
  const CommandLine line = parsed({"run", "a.yaml", "--plugin-dir", "/a", "--plugin-dir", "/b",
                                   "--trust-plugin-dir", "--strict", "--style", "vllm-bench", "-q", "-vv"});
  CHECK(line.plugins.plugin_dirs == std::vector<std::string>{"/a", "/b"});
  CHECK(line.plugins.trust);
  CHECK(line.strict);
  CHECK(line.quiet);
  CHECK(line.verbosity == 2);
  CHECK(line.style == Style::vllm_bench);
  CHECK(parsed({"schema", "--with", "vllm,poisson"}).with == std::vector<std::string>{"vllm", "poisson"});
}

TEST_CASE("a bad command line is one sentence that names the nearest verb or flag") {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } rows[] = {
      {{}, "a verb is missing, such as `tokometer run FILE`; `tokometer --help` lists them"},
      {{"rnu"}, "unknown verb \"rnu\"; did you mean \"run\"? `tokometer --help` lists all verbs"},
      {{"xyzzy"}, "unknown verb \"xyzzy\"; `tokometer --help` lists all verbs"},
      {{"plugin"}, "a verb is missing: `tokometer plugin --help` lists them"},
      {{"plugin", "descripe"},
       "unknown verb \"descripe\"; did you mean \"describe\"? `tokometer plugin --help` lists all verbs"},
      {{"-v", "run"}, "flags come after the verb: tokometer VERB \"-v\""},
      {{"run"}, "run: FILE...|PRESET|- is missing; see `tokometer run --help`"},
      {{"report"}, "report: DIR is missing; see `tokometer report --help`"},
      {{"run", "a.yaml", "--modle", "m"},
       "unknown flag \"--modle\"; did you mean \"--model\"? see `tokometer run --help`"},
      {{"run", "--sett=a=1"}, "unknown flag \"--sett\"; did you mean \"--set\"? see `tokometer run --help`"},
      {{"run", "a.yaml", "--zzzzzz"}, "unknown flag \"--zzzzzz\"; see `tokometer run --help`"},
      {{"run", "a.yaml", "--set"}, "--set: its value is missing; see `tokometer run --help`"},
      {{"report", "a", "b"}, "unexpected argument \"b\"; see `tokometer report --help`"},
      {{"report", "a", "--set", "b=1"}, "unknown flag \"--set\"; see `tokometer report --help`"},
      {{"run", "a", "--style", "fancy"},
       "--style: must be one of table, vllm-bench, guidellm, md, json, quiet (got \"fancy\")"},
      {{"run", "a", "--style", "\x1b[31m"},
       "--style: must be one of table, vllm-bench, guidellm, md, json, quiet (got \"\\x1b[31m\")"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.arguments);
    CHECK(refused(row.arguments) == row.message);
  }
}

TEST_CASE("help at every level") {
  for (const auto& arguments : {std::vector<std::string>{"--help"}, {"-h"}, {"help"}}) {
    const CommandLine line = parsed(arguments);
    CHECK(line.verb == Verb::help);
    for (const VerbInfo& verb : verbs())
      CHECK(line.help.find(std::string(verb.name) + " ") != std::string::npos);
  }
  CHECK(parsed({"plugin", "--help"}).help.find("plugin describe NAME") != std::string::npos);
  CHECK(parsed({"help", "plugin"}).help == parsed({"plugin", "--help"}).help);
  CHECK(parsed({"help", "plugin", "list"}).help == parsed({"plugin", "list", "--help"}).help);
  CHECK(parsed({"run", "--help"}).help.find("--set KEY=VALUE") != std::string::npos);
  for (const VerbInfo& verb : verbs()) {
    CAPTURE(verb.name);
    std::vector<std::string> words{std::string(verb.name)};
    const size_t blank = words[0].find(' ');
    if (blank != std::string::npos) words = {words[0].substr(0, blank), words[0].substr(blank + 1)};
    words.emplace_back("--help");
    const CommandLine line = parsed(words);
    CHECK(line.verb == Verb::help);
    CHECK(line.help.find("Usage: tokometer " + std::string(verb.name)) == 0);
    CHECK(line.help.find("\nExamples:\n  tokometer ") != std::string::npos);
  }
}

TEST_CASE("the line's text can be given to a shell") {
  CHECK(parsed({"run", "a b.yaml", "--set", "x='y'"}).text ==
        "tokometer run 'a b.yaml' --set 'x='\\''y'\\'''");
  CHECK(parsed({"run", "a.yaml", "--url", "http://h:8000/v1"}).text ==
        "tokometer run a.yaml --url http://h:8000/v1");
}

// The command line and the options it makes, from the schema that the run file shares.
#include "sim/flags.hpp"

#include <doctest/doctest.h>

#include <tokometer/json.hpp>

#include "sim/options.hpp"

namespace tokometer::embedded {
extern const std::string_view sim_schema;
}

namespace tokometer::sim {
namespace {

Result<Options> options_of(const std::vector<std::string>& arguments) {
  const auto line = parse_command_line(arguments, embedded::sim_schema);
  if (!line) return line.errors();
  return read_options(line->options_json);
}

TEST_CASE("defaults come from the schema") {
  const auto options = options_of({});
  REQUIRE(options);
  CHECK(options->mode == Mode::fixed);
  CHECK(options->shape.ttft_ns == 50'000'000);
  CHECK(options->shape.itl_ns == 10'000'000);
  CHECK(options->shape.usage == UsageMode::asked);
  CHECK(options->shape.head_at_once);
  CHECK_FALSE(options->step);
  CHECK(options->idle_close_ns == 5'000'000'000);
  CHECK(options->model == "sim-model");
  CHECK(options->seed == 42);
  CHECK_FALSE(options->jitter.has_value());
}

TEST_CASE("a list may be given in pieces, anything else is replaced") {
  const auto options = options_of({"--adapters", "a", "--model", "m", "--adapters=b,c", "--model", "n"});
  REQUIRE(options);
  CHECK(options->adapters == std::vector<std::string>{"a", "b", "c"});
  CHECK(options->model == "n");
  const auto flag = options_of({"--options", R"({"adapters":["x"]})", "--adapters", "a"});
  REQUIRE(flag);
  CHECK(flag->adapters == std::vector<std::string>{"a"});
}

TEST_CASE("each key is a flag") {
  const auto options = options_of({"--ttft",
                                   "1.5s",
                                   "--itl=250us",
                                   "--phases",
                                   "step",
                                   "--tokens-per-event",
                                   "4",
                                   "--crlf",
                                   "--adapters",
                                   "a,b",
                                   "--stall",
                                   R"({"at":"2s","for":"500ms"})",
                                   "--mode=model",
                                   "--jitter",
                                   "0.5",
                                   "--first-event",
                                   "none",
                                   "--stamp",
                                   "none",
                                   "--api-key",
                                   "k",
                                   "--shutdown",
                                   "abort"});
  REQUIRE(options);
  CHECK(options->shape.ttft_ns == 1'500'000'000);
  CHECK(options->shape.itl_ns == 250'000);
  CHECK(options->step);
  CHECK(options->shape.tokens_per_event == 4);
  CHECK(options->shape.crlf);
  CHECK(options->adapters == std::vector<std::string>{"a", "b"});
  CHECK(options->stall_at_ns == 2'000'000'000);
  CHECK(options->stall_for_ns == 500'000'000);
  CHECK(options->mode == Mode::model);
  CHECK(options->jitter == 0.5);
  CHECK(options->shape.first_event == FirstEvent::none);
  CHECK_FALSE(options->shape.stamp);
  CHECK(options->api_key == "k");
  CHECK(options->shutdown == Shutdown::abort);
}

TEST_CASE("--options takes a run file's JSON, where durations are seconds; later arguments win") {
  const auto options = options_of({"--options", R"({"ttft":0.02,"itl":"3ms","model":"m"})", "--itl", "4ms"});
  REQUIRE(options);
  CHECK(options->shape.ttft_ns == 20'000'000);
  CHECK(options->shape.itl_ns == 4'000'000);
  CHECK(options->model == "m");
}

TEST_CASE("the program's own flags") {
  const auto line =
      parse_command_line({"--port", "8000", "--host=0.0.0.0", "--exit-with-stdin"}, embedded::sim_schema);
  REQUIRE(line);
  CHECK(line->port == 8000);
  CHECK(line->host == "0.0.0.0");
  CHECK(line->exit_with_stdin);
}

TEST_CASE("faults of a command line name the flag, the value and the nearest name") {
  struct Row {
    std::vector<std::string> arguments;
    std::string message;
  };
  const Row rows[] = {
      {{"--tftt", "1s"}, "unknown argument \"--tftt\", did you mean --ttft?"},
      {{"--ttft"}, "--ttft needs a value"},
      {{"--ttft", "50"}, "ttft: must be a duration with a unit, as 50ms or 2s (got \"50\")"},
      {{"--mode", "fixd"},
       "mode: must be one of fixed, model, instant, script (got \"fixd\"), did you mean fixed?"},
      {{"--tokens-per-event", "0"}, "tokens_per_event: must be at least 1 (got 0)"},
      {{"--tokens-per-event", "x"}, "tokens_per_event: must be a whole number (got \"x\")"},
      {{"--failure-rate", "1.5"}, "failure_rate: must be at most 1 (got 1.5)"},
      {{"--options", "{"}, "--options: must be a JSON object (got {)"},
      {{"--options", R"({"itll":"1s"})"}, "unknown option \"itll\", did you mean itl?"},
      {{"--options", R"({"stall":{"at":"1s"}})"}, "stall: \"for\" is missing"},
      {{"--options", R"({"adapters":[""]})"}, "adapters: 0: must not be empty (got \"\")"},
      {{"--options", R"({"itl":-1})"}, "itl: must be a duration with a unit, as 50ms or 2s (got -1)"},
      {{"--crlf=yes"}, "crlf: must be true or false (got \"yes\")"},
      {{"--port", "70000"}, "--port: must be from 0 to 65535 (got \"70000\")"},
      {{"--failure", "statu"}, "failure: unknown fault \"statu\", did you mean status?"},
      {{"--mode", "script"}, "mode script needs a case file: script"},
      {{"--phases", "step", "--itl", "0s"}, "phases: step needs an itl above 0s"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.message);
    const auto options = options_of(row.arguments);
    REQUIRE_FALSE(options);
    CHECK(options.error().message == row.message);
  }
}

TEST_CASE("all faults come at once") {
  const auto options = options_of({"--ttft", "x", "--itl", "y"});
  REQUIRE_FALSE(options);
  CHECK(options.errors().size() == 2);
}

TEST_CASE("help names each flag with its choices and default") {
  const std::string help = help_text(embedded::sim_schema);
  CHECK(help.find("--tokens-per-event") != help.npos);
  CHECK(help.find("[spread|step] (default \"spread\")") != help.npos);
}

}  // namespace
}  // namespace tokometer::sim

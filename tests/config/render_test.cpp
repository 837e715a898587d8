#include <doctest/doctest.h>

#include "example_schemas.hpp"

namespace tokometer::testing {
namespace {

RunFile good(const std::string& text, std::map<std::string, std::string> environment = {}) {
  const auto run = read(Input{{{"/d/r.yaml", completed(text)}}, {}, std::move(environment)});
  INFO(messages(run));
  REQUIRE(run.ok());
  return *run;
}

}  // namespace

TEST_CASE("a rendered run file reads back to the same run") {
  const std::vector<std::string> texts{
      "",
      "target: {sim: {itl: 20ms, ttft: 1s}}\n",
      "name: x\ntags: {a: \"1\", b: \"yes: no\", c: \"\", d: \"$5\", e: \"${X}\", \"odd key\": \"#\"}\n",
      "load: {use: concurrency, options: {users: 3}}\nphases:\n"
      "  - {name: a, duration: 90s, warmup: 3}\n"
      "  - {name: b, requests: 5, load: {options: {users: 9, ramp_up: 1500us}}}\n"
      "  - {name: c, requests: 5, load: {use: poisson, options: {rate: 0.1}}}\n",
      "dataset: {use: text, options: {file: p.txt, block: 1000B, fields: [a, \"1\", \"true\", \"null\", "
      "\"~\", \"- x\"]}}\n",
      "request: {sampling: {t: 0.30000000000000004, n: -1, big: 18446744073709551615, z: null, b: [], m: "
      "{}},\n"
      "          extra: {text: \"line\\nbreak \\\"q\\\" \\u00e9 \\x7f \\t\", list: [[1, [2]], {a: [b]}]}}\n",
      "target: {url: \"http://h\", timeouts: {idle: off}, headers: {X-A: \"a, b: c\"}}\nlimits: "
      "{error_budget: 1%}\n",
      "slo: {per_request: {itl.p99: 80ms}, gates: [\"ttft.p99 < 500ms\"]}\n",
      "workloads:\n"
      "  - {name: a, load: {options: {rate: 3}}, request: {output_tokens: 5}}\n"
      "  - {name: b, load: {use: concurrency, options: {users: 2}}, slo: {per_request: {ttft: 1s}}}\n"
      "slo: {per_request: {tpot: 80ms}, gates: [\"ttft.p99 < 500ms\"]}\n"
      "phases:\n"
      "  - {duration: 9s, workloads: {b: off}}\n"
      "  - {name: x, duration: 90s, warmup: 3s, workloads: {a: {requests: 7}, b: {load: {options: {users: "
      "9}}}}}\n"
      "  - {name: y, duration: 5s, load: {use: poisson, options: {rate: 0.1}}}\n",
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    const RunFile first = good(text, {{"X", "v$w"}});
    const std::string rendered = render(first);
    CAPTURE(rendered);
    const RunFile second = good(rendered, {{"X", "v$w"}});
    CHECK(second.resolved_json == first.resolved_json);
    CHECK(second.processor.options_json == first.processor.options_json);
    CHECK(second.dataset.options_json == first.dataset.options_json);
    CHECK(second.load.options_json == first.load.options_json);
    REQUIRE(second.phases.size() == first.phases.size());
    for (size_t i = 0; i < first.phases.size(); ++i) {
      CHECK(second.phases[i].load.use == first.phases[i].load.use);
      CHECK(second.phases[i].load.options_json == first.phases[i].load.options_json);
    }
    REQUIRE(second.workloads.size() == first.workloads.size());
    for (size_t i = 0; i < first.workloads.size(); ++i) {
      const RunFile &one = first.workloads[i], &again = second.workloads[i];
      CHECK(again.workload == one.workload);
      CHECK(again.seed == one.seed);
      CHECK(again.load.options_json == one.load.options_json);
      CHECK(again.request.output_tokens == one.request.output_tokens);
      CHECK(again.slo.ttft_ns == one.slo.ttft_ns);
      REQUIRE(again.phases.size() == one.phases.size());
      for (size_t phase = 0; phase < one.phases.size(); ++phase) {
        CHECK(again.phases[phase].requests == one.phases[phase].requests);
        CHECK(again.phases[phase].load.options_json == one.phases[phase].load.options_json);
      }
    }
    CHECK(second.tags == first.tags);
    CHECK(second.request.extra_json == first.request.extra_json);
    CHECK(second.request.sampling_json == first.request.sampling_json);
    CHECK(second.target.sim_options_json == first.target.sim_options_json);
  }
}

TEST_CASE("variables are resolved, but those of secrets stay") {
  const RunFile run = good("target:\n  url: http://${HOST}:80\n  api_key: ${KEY:-none-at-all}\n",
                           {{"HOST", "gpu1"}, {"KEY", "canary"}});
  const std::string text = render(run);
  CHECK(text.find("url: \"http://gpu1:80\"") != std::string::npos);
  CHECK(text.find("api_key: \"${KEY:-none-at-all}\"") != std::string::npos);
  const RunFile again = good(text, {{"KEY", "canary"}});
  CHECK(again.target.api_key.reveal() == "canary");
}

TEST_CASE("paths are absolute, so the text runs from any folder") {
  CHECK(render(good("dataset: {use: text, options: {file: p.txt}}\n")).find("file: /d/p.txt") !=
        std::string::npos);
}

}  // namespace tokometer::testing

#include "config/run_file.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "example_schemas.hpp"

namespace tokometer::testing {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

RunFile good(const std::string& text) {
  const auto run = read(text);
  INFO(messages(run));
  REQUIRE(run.ok());
  return *run;
}

}  // namespace

TEST_CASE("a tokenizer") {
  CHECK(good("").tokenizer.use.empty());
  const RunFile run =
      *read(Input{{{"/runs/a.yaml", completed("model: {tokenizer: {use: hf, options: {file: t.json}}}\n")}}});
  CHECK(run.tokenizer.use == "hf");
  CHECK(run.tokenizer.options_json == R"({"file":"/runs/t.json"})");
  CHECK(run.resolved_json.find(R"("tokenizer":{"use":"hf","options":{"file":"/runs/t.json"}})") !=
        std::string::npos);
}

TEST_CASE("defaults") {
  const RunFile run = good("");
  CHECK(run.name == "run");
  CHECK(run.seed == 42);
  CHECK(run.tags.empty());
  CHECK_FALSE(run.target.simulate);
  CHECK(run.target.urls == std::vector<std::string>{"http://h"});
  CHECK(run.target.api_key.empty());
  CHECK(run.target.timeouts.dns_ns == 5 * kSecond);
  CHECK(run.target.timeouts.connect_ns == 5 * kSecond);
  CHECK(run.target.timeouts.send_ns == 30 * kSecond);
  CHECK(run.target.timeouts.headers_ns == 300 * kSecond);
  CHECK(run.target.timeouts.first_token_ns == 300 * kSecond);
  CHECK(run.target.timeouts.idle_ns == 60 * kSecond);
  CHECK(run.target.timeouts.total_ns == 900 * kSecond);
  CHECK(run.target.timeouts.preflight_ns == 10 * kSecond);
  CHECK(run.target.connections.max_idle_ns == 4 * kSecond);
  CHECK(run.target.wait_ready_ns == 0);
  CHECK(run.model.name.empty());
  CHECK(run.processor.use == "openai");
  CHECK(run.processor.options_json == R"({"api":"chat"})");
  CHECK(run.dataset.options_json == R"({"form":"text","range_ratio":0})");
  CHECK(run.load.options_json == R"({"rate":5})");
  CHECK(run.request.stream);
  CHECK(run.request.output == RunFile::Request::Output::automatic);
  CHECK(run.request.output_tokens == -1);
  CHECK(run.request.choices == 1);
  CHECK(run.request.empty_is_failure);
  CHECK_FALSE(run.request.cancel.has_value());
  CHECK(run.limits.stop == RunFile::Limits::Stop::never);
  CHECK(run.request.sampling_json == "{}");
  CHECK(run.rows.limit == -1);
  CHECK(run.rows.on_end == RunFile::Rows::OnEnd::repeat);
  REQUIRE(run.phases.size() == 1);
  CHECK(run.phases[0].name == "main");
  CHECK(run.phases[0].duration_ns == 7 * kSecond);
  CHECK_FALSE(run.phases[0].requests.has_value());
  CHECK(run.phases[0].warmup.kind == RunFile::Span::Kind::automatic);
  CHECK(run.phases[0].load.use == "poisson");
  CHECK(run.phases[0].load.options_json == R"({"rate":5})");
  CHECK(run.limits.max_in_flight == 0);
  CHECK(run.limits.drain_timeout_ns == 60 * kSecond);
  CHECK(run.limits.error_budget == doctest::Approx(0.1));
  CHECK(run.limits.io_threads == 0);
  CHECK_FALSE(run.slo.ttft_ns.has_value());
  CHECK(run.output.dir == "runs");
  CHECK(run.output.console == "table");
  CHECK(run.output.record_gaps);
  CHECK(run.output.sync.interval_ns == kSecond);
  CHECK(run.warnings.empty());
  CHECK(run.secrets.empty());
}

TEST_CASE("every section") {
  const RunFile run = good(R"(
version: 1
name: chat-8b
tags: {gpu: H100, gpus: 1, release: 1.10, spot: true}
seed: 18446744073709551615
target:
  url: [http://gpu1:8000/v1]
  headers: {X-Team: bench, X-Number: 5}
  timeouts: {connect: 2s, idle: off, total: false, first_token: 1500ms}
  connections: {policy: fresh, max_idle: 1s, http: "2", streams_per_connection: 8}
  wait_ready: 1m
  prepare: {reset_cache: true, load_adapters: true, profile: true}
model:
  name: m
  adapters: [{name: a}, {name: b, weight: 3.5, path: /lora/b}]
processor: {use: openai, options: {api: completions}}
request: {stream: false, output: best_effort, output_tokens: 64, choices: 2, cache_salt: none, empty: ok,
          sampling: {temperature: 0.5, stop: [x]}, extra: {a: {b: null}}, cancel: {share: 5%, after: 2s}}
dataset:
  use: text
  options: {file: /data/p.txt, block: 1MiB}
  rows: {limit: 10, order: shuffle, on_end: stop, on_bad: skip, filter: {turns: 2, max_prompt: 99}}
load: {use: concurrency, options: {users: 4, think_time: 2s}}
phases:
  - {name: warm, duration: 10s, warmup: none, measure: false, drain: none}
  - {requests: 100, warmup: 20, cooldown: 3s, drain: cancel}
  - {warmup: 1s}
limits: {max_in_flight: 9, overload: drop, drain_timeout: 0s, error_budget: 0.5, io_threads: 2, spin: "on", stop: saturated}
slo: {per_request: {ttft: 200ms, tpot: 50ms, e2e: 10s, itl.p99: 80ms}, gates: ["ttft.p99 < 500ms"]}
output: {dir: out, console: json, records: {events: none, sync: each}}
)");
  CHECK(run.name == "chat-8b");
  CHECK(run.tags == std::map<std::string, std::string>{
                        {"gpu", "H100"}, {"gpus", "1"}, {"release", "1.10"}, {"spot", "true"}});
  CHECK(run.seed == UINT64_MAX);
  CHECK(run.target.urls.at(0) == "http://gpu1:8000/v1");
  REQUIRE(run.target.headers.size() == 2);
  CHECK(run.target.headers[1] == std::pair<std::string, std::string>{"X-Number", "5"});
  CHECK(run.target.timeouts.connect_ns == 2 * kSecond);
  CHECK(run.target.timeouts.idle_ns == 0);
  CHECK(run.target.timeouts.total_ns == 0);
  CHECK(run.target.timeouts.first_token_ns == 1'500'000'000);
  CHECK(run.target.connections.policy == RunFile::Connections::Policy::fresh);
  CHECK(run.target.connections.http2);
  CHECK(run.target.connections.streams == 8);
  CHECK(run.target.wait_ready_ns == 60 * kSecond);
  CHECK(run.target.reset_cache);
  CHECK(run.target.load_adapters);
  CHECK(run.target.profile);
  REQUIRE(run.model.adapters.size() == 2);
  CHECK(run.model.adapters[0].weight == 1);
  CHECK(run.model.adapters[1].weight == 3.5);
  CHECK(run.model.adapters[0].path.empty());
  CHECK(run.model.adapters[1].path == "/lora/b");
  CHECK_FALSE(run.request.stream);
  CHECK(run.request.output == RunFile::Request::Output::best_effort);
  CHECK(run.request.output_tokens == 64);
  CHECK(run.request.choices == 2);
  CHECK(run.request.cache_salt == RunFile::Request::CacheSalt::none);
  CHECK_FALSE(run.request.empty_is_failure);
  CHECK(run.request.sampling_json == R"({"temperature":0.5,"stop":["x"]})");
  CHECK(run.request.extra_json == R"({"a":{"b":null}})");
  REQUIRE(run.request.cancel.has_value());
  CHECK(run.request.cancel->share == 0.05);
  CHECK(run.request.cancel->after_ns == 2 * kSecond);
  CHECK(run.dataset.options_json == R"({"file":"/data/p.txt","block":1048576})");
  CHECK(run.rows.limit == 10);
  CHECK(run.rows.order == RunFile::Rows::Order::shuffle);
  CHECK(run.rows.on_end == RunFile::Rows::OnEnd::stop);
  CHECK(run.rows.filter.name == "own");
  CHECK(run.rows.filter.turns == 2);
  CHECK(run.rows.filter.max_prompt == 99);
  CHECK(run.rows.filter.min_prompt == 0);
  CHECK(run.rows.on_bad == RunFile::Rows::OnBad::skip);
  CHECK(run.load.options_json == R"({"users":4,"ramp_up":0,"think_time":2})");
  REQUIRE(run.phases.size() == 3);
  CHECK(run.phases[0].warmup.kind == RunFile::Span::Kind::none);
  CHECK_FALSE(run.phases[0].measure);
  CHECK(run.phases[0].drain == RunFile::Phase::Drain::none);
  CHECK(run.phases[1].name == "phase2");
  CHECK(run.phases[1].requests == 100);
  CHECK(run.phases[1].warmup.kind == RunFile::Span::Kind::count);
  CHECK(run.phases[1].warmup.count == 20);
  CHECK(run.phases[1].cooldown.ns == 3 * kSecond);
  CHECK(run.phases[1].drain == RunFile::Phase::Drain::cancel);
  CHECK_FALSE(run.phases[2].duration_ns.has_value());  // rows.on_end: stop ends it
  CHECK(run.phases[2].warmup.ns == kSecond);
  CHECK(run.limits.max_in_flight == 9);
  CHECK(run.limits.overload == RunFile::Limits::Overload::drop);
  CHECK(run.limits.drain_timeout_ns == 0);
  CHECK(run.limits.error_budget == 0.5);
  CHECK(run.limits.io_threads == 2);
  CHECK(run.limits.spin == RunFile::Limits::Spin::on);
  CHECK(run.limits.stop == RunFile::Limits::Stop::saturated);
  CHECK(run.slo.ttft_ns == 200'000'000);
  CHECK(run.slo.tpot_ns == 50'000'000);
  CHECK(run.slo.e2e_ns == 10 * kSecond);
  CHECK(run.slo.itl_p99_ns == 80'000'000);
  CHECK(run.slo.gates == std::vector<std::string>{"ttft.p99 < 500ms"});
  CHECK(run.output.dir == "out");
  CHECK(run.output.console == "json");
  CHECK_FALSE(run.output.record_gaps);
  CHECK(run.output.sync.kind == RunFile::SyncPolicy::Kind::each);
}

TEST_CASE("phases merge their load over the run's") {
  const RunFile run = good(R"(
load: {use: concurrency, options: {users: 4, think_time: 1s}}
phases:
  - {name: a, duration: 1s}
  - {name: b, duration: 1s, load: {options: {users: 9}}}
  - {name: c, duration: 1s, load: {use: poisson, options: {rate: 3}}}
)");
  CHECK(run.phases[0].load.options_json == R"({"users":4,"ramp_up":0,"think_time":1})");
  CHECK(run.phases[1].load.use == "concurrency");
  CHECK(run.phases[1].load.options_json == R"({"users":9,"ramp_up":0,"think_time":1})");
  CHECK(run.phases[2].load.use == "poisson");
  CHECK(run.phases[2].load.options_json == R"({"rate":3})");
}

TEST_CASE("workloads merge over the run's sections, and phases over both") {
  const RunFile run = good(R"(
load: {use: concurrency, options: {users: 4, think_time: 1s}}
slo: {per_request: {ttft: 1s}, gates: ["ok >= 1"]}
workloads:
  - {name: a}
  - {name: b, load: {options: {users: 9}}, model: {name: m}, slo: {per_request: {tpot: 20ms}, gates: []}}
  - {name: c, load: {use: poisson, options: {rate: 3}}, request: {output_tokens: 7}}
phases:
  - {duration: 1s, workloads: {b: off}}
  - {name: p, duration: 1s, workloads: {a: {requests: 5}, c: {load: {options: {rate: 8}}, measure: false}, b: false}}
  - {name: q, duration: 1s, drain: none, load: {use: poisson, options: {rate: 1}}, workloads: {c: {warmup: none}}}
)");
  REQUIRE(run.workloads.size() == 3);
  const RunFile &a = run.workloads[0], &b = run.workloads[1], &c = run.workloads[2];
  CHECK(run.phases.size() == 3);
  CHECK(a.workload == "a");
  CHECK(a.load.options_json == R"({"users":4,"ramp_up":0,"think_time":1})");
  CHECK(a.slo.gates == std::vector<std::string>{"ok >= 1"});
  REQUIRE(a.phases.size() == 3);
  CHECK(a.phases[0].name == "phase1");
  CHECK(a.phases[1].requests == 5);
  CHECK_FALSE(a.phases[1].duration_ns);
  CHECK(b.load.options_json == R"({"users":9,"ramp_up":0,"think_time":1})");
  CHECK(b.model.name == "m");
  CHECK(a.model.name.empty());
  CHECK(b.slo.ttft_ns == kSecond);
  CHECK(b.slo.tpot_ns == 20'000'000);
  CHECK(b.slo.gates.empty());
  REQUIRE(b.phases.size() == 1);
  CHECK(b.phases[0].name == "q");
  CHECK(b.phases[0].load.options_json == R"({"rate":1})");
  CHECK(b.phases[0].drain == RunFile::Phase::Drain::none);
  CHECK(c.request.output_tokens == 7);
  CHECK(c.find_phase("p")->load.options_json == R"({"rate":8})");
  CHECK_FALSE(c.find_phase("p")->measure);
  CHECK(c.find_phase("q")->warmup.kind == RunFile::Span::Kind::none);
  CHECK(a.seed != b.seed);
  CHECK(a.seed != run.seed);
}

TEST_CASE("a run without a load of its own takes the phases'") {
  const std::string head = "version: 1\ntarget: sim\nprocessor: openai\ndataset: synthetic\n";
  const auto one =
      read(Input{{{"r.yaml", head + "phases: [{duration: 1s, load: {use: poisson, options: {rate: 1}}}]"}}});
  CHECK(messages(one).empty());
  const auto none = read(Input{{{"r.yaml", head + "phases: [{duration: 1s}]"}}});
  CHECK(messages(none) == "r.yaml:1:1: \"load\" is missing\n");
}

TEST_CASE("the simulator's options are checked and canonical") {
  const RunFile run = good("target: {sim: {mode: fixed, itl: 20ms}}\n");
  CHECK(run.target.simulate);
  CHECK(run.target.urls.empty());
  CHECK(run.target.sim_options_json.find(R"("itl":0.02)") != std::string::npos);
  CHECK(run.target.sim_options_json.find(R"("mode":"fixed")") != std::string::npos);
}

TEST_CASE("the name comes from the file where none is given") {
  const auto name_from = [](const std::string& file) {
    const auto run = read(Input{{{file, completed("")}}});
    return run ? run->name : messages(run);
  };
  CHECK(name_from("/a/b/chat-8b.yaml") == "chat-8b");
  CHECK(name_from("two words.yaml") == "two-words");
  CHECK(name_from("-") == "run");
  CHECK(name_from(std::string(90, 'x') + ".yaml") == std::string(64, 'x'));
}

TEST_CASE("secrets: the key, secret headers and secret options, masked in what is kept") {
  const auto run = read(Input{{{"r.yaml", completed(R"(
target:
  url: http://h
  api_key: ${KEY}
  headers: {Authorization: "Bearer ${KEY}", X-Team: bench, Cookie: clear-cookie}
processor: {use: openai, options: {token: "${TOKEN}"}}
)")}},
                              {},
                              {{"KEY", "canary-key"}, {"TOKEN", "canary-token"}}});
  INFO(messages(run));
  REQUIRE(run.ok());
  CHECK(run->target.api_key.reveal() == "canary-key");
  CHECK(run->processor.options_json == R"({"api":"chat","token":"canary-token"})");
  std::vector<std::string> secrets;
  for (const Secret& secret : run->secrets) secrets.push_back(secret.reveal());
  for (const char* expected : {"canary-key", "Bearer canary-key", "clear-cookie", "canary-token"}) {
    CHECK(std::find(secrets.begin(), secrets.end(), expected) != secrets.end());
  }
  for (const std::string& text : {run->resolved_json, render(*run)}) {
    CHECK(text.find("canary") == std::string::npos);
    CHECK(text.find("clear-cookie") == std::string::npos);
    CHECK(text.find("${KEY}") != std::string::npos);
  }
  REQUIRE(run->warnings.size() == 1);
  CHECK(run->warnings[0].message ==
        "target.headers.Cookie: a secret in clear text; use ${NAME} or {file: PATH} instead");
}

TEST_CASE("an empty key is no key") {
  const auto run =
      read(Input{{{"r.yaml", completed("target: {url: \"http://h\", api_key: \"${KEY:-}\"}\n")}}});
  REQUIRE(run.ok());
  CHECK(run->target.api_key.empty());
  CHECK(run->secrets.empty());
  CHECK(run->warnings.empty());
}

TEST_CASE("gates are checked by whoever knows their grammar") {
  const auto document = parse_yaml(completed("slo:\n  gates: [\"ttft.p99 < 1s\", nonsense]\n"), "run.yaml");
  REQUIRE(document.ok());
  const auto run =
      read_run_file(*document, option_schema, [](std::string_view gate) -> std::optional<std::string> {
        if (gate == "nonsense") return "is no gate";
        return std::nullopt;
      });
  CHECK(messages(run) == "run.yaml:2:28: slo.gates[1]: is no gate\n");
}

TEST_CASE("of a header's value its long words are secrets, too: a server may repeat the key alone") {
  const auto run = read(Input{
      {{"r.yaml", completed("target:\n  url: http://h\n  headers: {Authorization: \"Bearer ${KEY}\"}\n")}},
      {},
      {{"KEY", "canary-key"}}});
  REQUIRE(run.ok());
  REQUIRE(run->secrets.size() == 2);
  CHECK(run->secrets[0].reveal() == "Bearer canary-key");
  CHECK(run->secrets[1].reveal() == "canary-key");
}

TEST_CASE("a secret that is too short to be masked gives a warning") {
  const auto run = read(
      Input{{{"r.yaml", completed("target:\n  url: http://h\n  api_key: ${KEY}\n")}}, {}, {{"KEY", "abc"}}});
  REQUIRE(run.ok());
  REQUIRE(run->warnings.size() == 1);
  CHECK(to_string(run->warnings[0]) ==
        "r.yaml:3:12: target.api_key: a secret of less than 4 bytes cannot be masked in output");
}

TEST_CASE("no text takes the reader down: every byte of a run file changed, every part cut") {
  const std::string text = R"(version: 1
tags: {a: 1}
target: {sim: {itl: 5ms}, headers: {a: b}, timeouts: {idle: off}, api_key: {file: /x}}
processor: {use: openai, options: {api: chat}}
dataset: {use: text, options: {file: p, block: 1KiB, fields: [a]}, rows: {limit: 5}}
load: {use: concurrency, options: {users: 1, think_time: {mean: 1s}}}
phases: [{name: a, duration: 5s, warmup: 1, load: {options: {users: 2}}}, {requests: 5}]
limits: {error_budget: 1%, io_threads: auto}
output: {records: {sync: 1s}}
)";
  const auto survives = [](const std::string& changed) {
    const auto run = read(Input{{{"r.yaml", changed}}});
    if (!run) CHECK_FALSE(run.error().message.empty());
  };
  for (size_t at = 0; at < text.size(); ++at) {
    survives(text.substr(0, at));
    for (const char c : {'{', '}', '[', ',', ':', '"', '\n', '9', '$', '~'}) {
      std::string changed = text;
      changed[at] = c;
      survives(changed);
    }
  }
}

}  // namespace tokometer::testing

#include "report/report.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <fstream>
#include <sstream>
#include <tokometer/json.hpp>
#include <tokometer/random.hpp>

#include "../metrics/run_dir.hpp"
#include "report/json_lines.hpp"

using namespace tokometer;
using namespace tokometer::test;

namespace {

// 960 requests at 8/s over 120 s, with three failures: the example of the documentation, with generated
// times.
std::vector<RequestRecord> example_records(BlockPool& pool) {
  tkm::Random random(42);
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 960; ++i) {
    std::vector<int64_t> gaps;
    for (int k = 0; k < 19; ++k) gaps.push_back(12'000 + static_cast<int64_t>(random.below(4'000)));
    RequestRecord r = ok_record(pool, i, static_cast<int64_t>(i) * 125 * kMs,
                                (50 + static_cast<int64_t>(random.below(30))) * kMs, gaps);
    if (i == 100 || i == 500)
      r.status = Status::failed, r.cls = "timeout.first_token", r.end_ns = r.scheduled_ns + 300 * kSecond;
    if (i == 700) r.status = Status::failed, r.cls = "in_band", r.error = "Model is \x1b[31moverloaded";
    records.push_back(std::move(r));
  }
  return records;
}

TickLine tick_at(int64_t second) {
  TickLine tick;
  tick.at_ns = second * kSecond;
  tick.threads = {{"io-0", true, second * 230 * kMs, 0, kMs}};
  tick.cpu_ns = second * 310 * kMs, tick.rss_peak_bytes = 31'457'280;
  tick.reads = second * 160, tick.token_events = second * 160;
  tick.client_lag.record(20'000, 160);
  return tick;
}

Summary example(const RunDir& dir) {
  BlockPool pool;
  PhaseOptions options;
  options.duration_ns = 120 * kSecond, options.load_end_ns = 121 * kSecond;
  std::vector<TickLine> ticks;
  for (int64_t s = 1; s <= 120; ++s) ticks.push_back(tick_at(s));
  Manifest manifest = plain_manifest();
  manifest.slo.ttft_ns = 75 * kMs, manifest.slo.tpot_ns = 50 * kMs;
  manifest.gates = {"ttft.p99 < 500ms", "goodput_ratio >= 75%", "output_tokens_per_s > 1000"};
  return dir.summarize(manifest, lines_of(example_records(pool), options, ticks));
}

Summary nothing_ok(const RunDir& dir) {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 40; ++i) {
    RequestRecord r = ok_record(pool, i, static_cast<int64_t>(i) * 100 * kMs, 50 * kMs, {});
    r.status = Status::failed, r.cls = "status.503", r.error = "upstream is down";
    r.timeline.release();
    r.first_token_ns = r.last_token_ns = r.first_event_ns = r.first_answer_ns = r.prompt_tokens =
        r.output_tokens = kAbsent;
    r.events = 0, r.token_source = TokenSource::none;
    records.push_back(std::move(r));
  }
  PhaseOptions options;
  options.duration_ns = 4 * kSecond;
  return dir.summarize(plain_manifest(), lines_of(records, options));
}

std::string golden(const char* name) {
  std::ifstream file(std::string(TOKOMETER_TEST_DIR "/golden/") + name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Equal to the golden file. What came out is left beside the test program, to look at or to copy over it.
void check_golden(const char* name, const std::string& text) {
  std::ofstream(std::string(TOKOMETER_BUILD_DIR "/tests/got_") + name, std::ios::binary) << text;
  CAPTURE(text);
  CHECK(text == golden(name));
}

ConsoleOptions style(Style which) {
  ConsoleOptions options;
  options.style = which;
  options.directory = "runs/chat-8b-20261122T043601Z-3f9c1a";
  return options;
}

}  // namespace

TEST_CASE("the table of a full run") {
  const RunDir dir;
  check_golden("table.txt", render_console(example(dir), style(Style::table)));
}

TEST_CASE("the table with no ok request: errors first, n/a, no row of zeros") {
  const RunDir dir;
  check_golden("table_zero_ok.txt", render_console(nothing_ok(dir), style(Style::table)));
}

TEST_CASE("the vllm-bench block") {
  const RunDir dir;
  check_golden("vllm_bench.txt", render_console(example(dir), style(Style::vllm_bench)));
  CHECK(render_console(nothing_ok(dir), style(Style::vllm_bench)).find("0.00\nMedian TTFT") ==
        std::string::npos);
}

TEST_CASE("Markdown") {
  const RunDir dir;
  check_golden("table.md", render_console(example(dir), style(Style::markdown)));
}

TEST_CASE("quiet prints the verdict alone; json is summary.json") {
  const RunDir dir;
  const Summary s = example(dir);
  CHECK(render_console(s, style(Style::quiet)) == "VERDICT SUSPECT  V12 errors 0.31 % > 0.1 %: see Errors\n");
  CHECK(render_console(s, style(Style::json)) == summary_json(s));
}

TEST_CASE("no control code without colour, and only around the verdict word with it") {
  const RunDir dir;
  const Summary s = example(dir);
  for (const Style which : {Style::table, Style::vllm_bench, Style::markdown, Style::quiet}) {
    CHECK(render_console(s, style(which)).find('\x1b') == std::string::npos);
  }
  ConsoleOptions colour = style(Style::table);
  colour.colour = true;
  std::string text = render_console(s, colour);
  const std::string word = "\x1b[1;33mSUSPECT\x1b[0m";
  const size_t at = text.find(word);
  REQUIRE(at != std::string::npos);
  text.replace(at, word.size(), "SUSPECT");
  CHECK(text == render_console(s, style(Style::table)));
}

TEST_CASE("the same records give the same bytes, whatever the locale") {
  const RunDir dir;
  const Summary first = example(dir);
  const std::string json = summary_json(first), histograms = histograms_json(first),
                    table = render_console(first, style(Style::table));
  const auto again = summarize(dir.path());
  REQUIRE(again);
  CHECK(summary_json(*again) == json);
  CHECK(histograms_json(*again) == histograms);
  // C numbers everywhere: printf and stod would write and read commas here. The test needs no installed
  // locale to be useful: where none exists the C locale stays.
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  }
  const auto german = summarize(dir.path());
  CHECK(summary_json(*german) == json);
  CHECK(render_console(*german, style(Style::table)) == table);
  std::setlocale(LC_ALL, "C");
}

TEST_CASE(
    "summary.json: one JSON text, no null, integers stay integers, units and definitions beside values") {
  const RunDir dir;
  for (const Summary& s : {example(dir), nothing_ok(dir)}) {
    const std::string text = summary_json(s);
    tkm::JsonDocument json;
    REQUIRE(tkm::parse_json(text, json));
    CHECK(text.find("null") == std::string::npos);
    CHECK(text.find("nan") == std::string::npos);
    CHECK(tkm::get_int(json, "schema_version") == 1);
    const tkm::Json& phase = (*tkm::find(json, "phases"))[0];
    for (const auto& metric : tkm::find(phase, "metrics")->GetObject()) {
      CHECK_FALSE(tkm::get_string(metric.value, "unit").empty());
      CHECK_FALSE(tkm::get_string(metric.value, "definition").empty());
    }
  }
  tkm::JsonDocument json;
  REQUIRE(tkm::parse_json(summary_json(example(dir)), json));
  const tkm::Json& metrics = *tkm::find((*tkm::find(json, "phases"))[0], "metrics");
  const tkm::Json& ttft = *tkm::find(metrics, "ttft_sched");
  CHECK(tkm::find(ttft, "p99")->IsInt64());
  CHECK(tkm::find(ttft, "max")->IsInt64());
  CHECK(tkm::find(*tkm::find(ttft, "adjusted"), "max")->GetString() == std::string("+inf"));
  CHECK(tkm::find(*tkm::find(metrics, "planned"), "value")->IsInt64());
}

TEST_CASE("summary.json: what the client itself used; records that do not say it leave it out") {
  const RunDir dir;
  Summary s = example(dir);
  const auto client_of = [](const Summary& summary) {
    tkm::JsonDocument json;
    REQUIRE(tkm::parse_json(summary_json(summary), json));
    std::string text;
    tkm::JsonWriter writer(text);
    const tkm::Json& client = *tkm::find((*tkm::find(json, "phases"))[0], "client");
    writer.begin_object();
    for (const char* key : {"cpu_ns", "rss_peak_bytes", "schedule_lag_p99_ns", "client_lag_p99_ns"}) {
      if (tkm::find(client, key) != nullptr) writer.member(key, tkm::get_int(client, key));
    }
    writer.member("cores_used", tkm::get_number(client, "cores_used")).end_object();
    return text;
  };
  CHECK(client_of(s) == R"({"cpu_ns":37200000000,"rss_peak_bytes":31457280,"schedule_lag_p99_ns":20000,)"
                        R"("client_lag_p99_ns":20004,"cores_used":0.31})");
  s.phases[0].cpu_ns = s.phases[0].rss_peak_bytes = 0;
  CHECK(client_of(s) == R"({"schedule_lag_p99_ns":20000,"client_lag_p99_ns":20004,"cores_used":0})");
  CHECK(render_console(s, style(Style::table)).find("            busiest I/O thread 23 %\n") !=
        std::string::npos);
}

TEST_CASE("histograms.json adds up to the counts of the summary") {
  const RunDir dir;
  const Summary s = example(dir);
  tkm::JsonDocument json;
  REQUIRE(tkm::parse_json(histograms_json(s), json));
  size_t seen = 0;
  for (const tkm::Json& item : tkm::find(json, "histograms")->GetArray()) {
    const std::string metric(tkm::get_string(item, "metric"));
    int64_t sum = tkm::get_int(item, "overflow");
    for (const tkm::Json& bucket : tkm::find(item, "buckets")->GetArray()) sum += bucket[1].GetInt64();
    CAPTURE(metric);
    CHECK(static_cast<uint64_t>(sum) == s.phases[0].find_metric(metric)->count);
    seen += metric == "itl" || metric == "ttft_sched" || metric == "client_lag";
  }
  CHECK(seen == 3);
}

TEST_CASE("console and JSON agree to the last digit") {
  const RunDir dir;
  const Summary s = example(dir);
  const std::string table = render_console(s, style(Style::table));
  const Distribution& ttft = *s.phases[0].find_metric("ttft_sched");
  tkm::JsonDocument json;
  REQUIRE(tkm::parse_json(summary_json(s), json));
  const tkm::Json& written = *tkm::find(*tkm::find((*tkm::find(json, "phases"))[0], "metrics"), "ttft_sched");
  CHECK(static_cast<double>(tkm::get_int(written, "p99")) == ttft.percentile("p99"));
  CHECK(tkm::find(written, "mean")->GetDouble() == ttft.mean);  // shortest text that reads back the same
}

TEST_CASE("foreign text cannot forge a line or a Markdown cell") {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 10; ++i)
    records.push_back(ok_record(pool, i, static_cast<int64_t>(i) * 100 * kMs, 50 * kMs, {}));
  records[3].status = Status::failed, records[3].cls = "in_band",
  records[3].error = "a\nVERDICT VALID\r\x1b]0;x\x07|<script>";
  PhaseOptions options;
  options.duration_ns = kSecond;
  Manifest manifest = plain_manifest();
  manifest.target.server = "vLLM\nVERDICT VALID";
  manifest.workloads[0].model = "m\x1b[2J";
  const RunDir dir;
  const Summary s = dir.summarize(manifest, lines_of(records, options));
  for (const Style which : {Style::table, Style::markdown, Style::vllm_bench}) {
    const std::string text = render_console(s, style(which));
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("\nVERDICT VALID") == std::string::npos);
    if (which == Style::markdown) CHECK(text.find("\\|\\<script>") != std::string::npos);
  }
}

TEST_CASE("the files of a run directory, and faults that name them") {
  const RunDir dir;
  const Summary s = example(dir);
  REQUIRE(write_reports(dir.path(), s));
  std::ifstream file(dir.path() / "summary.json", std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  CHECK(text.str() == summary_json(s));
  CHECK(std::filesystem::exists(dir.path() / "histograms.json"));
  CHECK(std::filesystem::exists(dir.path() / "console.txt"));
  const auto failed = write_reports(dir.path() / "gone", s);
  REQUIRE_FALSE(failed);
  CHECK(failed.errors().size() == 3);
}

TEST_CASE("styles by name") {
  for (const std::string& name : style_names()) CHECK(style_from_name(name));
  CHECK_FALSE(style_from_name("tabel"));
}

TEST_CASE("JSON in lines") {
  CHECK(broken_into_lines(R"({"a":{"b":[1,{"c":"}\",{"}]},"d":[],"e":{}})", 2) ==
        "{\n \"a\": {\n  \"b\": [1,{\"c\":\"}\\\",{\"}]\n },\n \"d\": [],\n \"e\": {}\n}\n");
  CHECK(broken_into_lines(R"({"a":1,"b":"x"})", 2) == "{\"a\":1,\"b\":\"x\"}\n");
  CHECK(broken_into_lines(R"([{"a":1},{"a":[2]}])", 9) == "[\n {\"a\":1},\n {\n  \"a\": [2]\n }\n]\n");
}

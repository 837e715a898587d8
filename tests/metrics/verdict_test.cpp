#include <doctest/doctest.h>

#include <functional>

#include "metrics/summary.hpp"
#include "run_dir.hpp"

using namespace tokometer;
using namespace tokometer::test;

namespace {

// A calm run: 600 requests at 100/s, ticks each second, everything as it should be.
struct Run {
  BlockPool pool;
  std::vector<RequestRecord> records;
  std::vector<TickLine> ticks;
  PhaseOptions options;
  Manifest manifest = plain_manifest();

  explicit Run(int64_t seconds = 6, int64_t per_second = 100) {
    for (int64_t i = 0; i < seconds * per_second; ++i) {
      records.push_back(
          ok_record(pool, static_cast<uint64_t>(i), i * kSecond / per_second, 50 * kMs, {10'000, 10'000}));
    }
    options.duration_ns = seconds * kSecond;
    options.load_end_ns = (seconds + 1) * kSecond;
    for (int64_t s = 1; s <= seconds + 1; ++s) {
      TickLine tick;
      tick.at_ns = s * kSecond;
      tick.totals = {{"default", "main", 0, 0, 0, 0, 0, 0, s * 64 * kSecond, s * 64 * kSecond}};
      tick.threads = {{"io-0", true, s * 200 * kMs, s * kMs, 2 * kMs},
                      {"writer", false, s * 990 * kMs, 0, 0}};
      tick.reads = s * 1000, tick.token_events = s * 300;
      tick.client_lag.record(20'000, 1000);
      tick.writer_backlog_bytes = 1000, tick.writer_backlog_limit_bytes = 1'000'000;
      ticks.push_back(std::move(tick));
    }
  }
  Summary summarize() const {
    const RunDir dir;
    return dir.summarize(manifest, lines_of(records, options, ticks));
  }
};

struct Fault {
  const char* id;
  Grade grade;
  const char* measured;  // part of the sentence
  std::function<void(Run&)> apply;
};

void each_tick(Run& run, const std::function<void(TickLine&, int64_t second)>& change) {
  for (size_t i = 0; i < run.ticks.size(); ++i) change(run.ticks[i], static_cast<int64_t>(i) + 1);
}

void delay_sends(Run& run, int64_t by_ns) {
  for (RequestRecord& r : run.records) {
    for (int64_t* at : {&r.sent_ns, &r.send_done_ns, &r.first_byte_ns, &r.first_event_ns, &r.first_token_ns,
                        &r.first_answer_ns, &r.last_token_ns, &r.end_ns})
      *at += by_ns;
  }
}

const Fault kFaults[] = {
    {"V1", Grade::suspect, "signal.INT", [](Run& r) { r.options.reason = "signal.INT"; }},
    {"V1", Grade::invalid, "crashed", [](Run& r) { r.options.end_line = false; }},
    {"V1", Grade::invalid, "deadlock", [](Run& r) { r.options.reason = "deadlock"; }},
    {"V1", Grade::invalid, "dataset", [](Run& r) { r.options.reason = "dataset"; }},
    {"V1", Grade::invalid, "empty window",
     [](Run& r) {
       r.options.warmup = {Span::Kind::duration, 6 * kSecond, 0};
     }},
    {"V3", Grade::suspect, "window 2.0 s",
     [](Run& r) {
       r.options.warmup = {Span::Kind::duration, 4 * kSecond, 0};
     }},
    {"V4", Grade::suspect, "p99 3.02 ms", [](Run& r) { delay_sends(r, 3 * kMs); }},
    {"V4", Grade::invalid, "p99 30.0 ms", [](Run& r) { delay_sends(r, 30 * kMs); }},
    {"V4", Grade::valid, "p99 8.0",
     [](Run& r) {
       r.options.open_loop = false;  // 64 users with a cycle of 640 ms: 2 % of it, but at most 10 ms
       delay_sends(r, 8 * kMs);
     }},
    {"V4", Grade::suspect, "p99 12.0",
     [](Run& r) {
       r.options.open_loop = false;
       delay_sends(r, 12 * kMs);
     }},
    {"V4", Grade::suspect, "p99 3.02 ms",
     [](Run& r) {
       r.options.open_loop = false;  // 4 users with a cycle of 40 ms
       each_tick(r, [](TickLine& t, int64_t s) {
         t.totals[0].wanted_user_ns = t.totals[0].active_user_ns = s * 4 * kSecond;
       });
       delay_sends(r, 3 * kMs);
     }},
    {"V5", Grade::invalid, "off",
     [](Run& r) {
       delay_sends(r, 1 * kSecond);
       for (auto& q : r.records)
         if (q.seq < 400) {
           q.sent_ns -= kSecond;
         }
     }},
    {"V5", Grade::suspect, "90.6 %",
     [](Run& r) {
       r.options.open_loop = false;
       each_tick(r, [](TickLine& t, int64_t s) { t.totals[0].active_user_ns = s * 58 * kSecond; });
     }},
    {"V5", Grade::invalid, "50 %",
     [](Run& r) {
       r.options.open_loop = false;
       each_tick(r, [](TickLine& t, int64_t s) { t.totals[0].active_user_ns = s * 32 * kSecond; });
     }},
    {"V6", Grade::suspect, "p99 2",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t) { t.client_lag.record(2 * kMs, 100); }); }},
    {"V6", Grade::invalid, "longest loop turn 20.0 ms",
     [](Run& r) {
       r.manifest.host.kernel_stamps = false;
       each_tick(r, [](TickLine& t, int64_t) { t.threads[0].longest_turn_ns = 20 * kMs; });
     }},
    {"V7", Grade::suspect, "0.67 %",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t) { t.ambiguity.record(5 * kMs, 2); }); }},
    {"V7", Grade::invalid, "10 %",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t) { t.ambiguity.record(5 * kMs, 30); }); }},
    {"V7", Grade::valid, "0 %",
     [](Run& r) {
       each_tick(r, [](TickLine& t, int64_t) { t.ambiguity.record(20'000, 200); });
     }},  // the server's bursts
    {"V8", Grade::suspect, "90 %",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t s) { t.threads[0].cpu_ns = s * 900 * kMs; }); }},
    {"V8", Grade::invalid, "98 %",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t s) { t.threads[0].cpu_ns = s * 980 * kMs; }); }},
    {"V8", Grade::suspect, "loop stall 80", [](Run& r) { r.ticks[2].threads[0].longest_turn_ns = 80 * kMs; }},
    {"V9", Grade::suspect, "gaps over 1 ms 5 %",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t s) { t.host_gap_ns = s * 50 * kMs; }); }},
    {"V9", Grade::invalid, "waiting for a core 20 %",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t s) { t.threads[0].run_queue_ns = s * 200 * kMs; }); }},
    {"V11", Grade::suspect, "counted by events",
     [](Run& r) { r.records[300].token_source = TokenSource::events; }},
    {"V11", Grade::suspect, "differ by 33.3 %",
     [](Run& r) {
       for (auto& q : r.records) q.per_event_tokens = 2;
     }},
    {"V11", Grade::suspect, "short outputs 2 %",
     [](Run& r) {
       for (auto& q : r.records)
         if (q.seq % 50 == 0) q.flags |= kFlagShortOutput;
     }},
    {"V12", Grade::suspect, "0.33 %",
     [](Run& r) {
       for (size_t i : {10u, 20u}) r.records[i].status = Status::failed, r.records[i].cls = "in_band";
     }},
    {"V12", Grade::invalid, "25 %",
     [](Run& r) {
       for (auto& q : r.records)
         if (q.seq % 4 == 0) q.status = Status::failed, q.cls = "status.500";
     }},
    {"V12", Grade::invalid, "client itself",
     [](Run& r) { r.records[5].status = Status::failed, r.records[5].cls = "client.fd"; }},
    {"V12", Grade::valid, "0 %",
     [](Run& r) { r.records[5].status = Status::cancelled, r.records[5].cls = "drain"; }},
    {"V13", Grade::suspect, "2 wall-clock steps",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t s) { t.clock_steps = s > 2 ? 2 : 0; }); }},
    {"V13", Grade::suspect, "without a kernel stamp 5 %",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t s) { t.user_stamp_reads = s * 50; }); }},
    {"V13", Grade::invalid, "suspended",
     [](Run& r) { each_tick(r, [](TickLine& t, int64_t s) { t.suspended_ns = s > 3 ? 2 * kSecond : 0; }); }},
    {"V13", Grade::invalid, "1 request with instants out of order",
     [](Run& r) { r.records[7].first_byte_ns = r.records[7].sent_ns - 1; }},
    {"V14", Grade::suspect, "0.5 %",
     [](Run& r) {
       for (size_t i : {1u, 2u, 3u}) r.records[i].flags |= kFlagWrongModel;
     }},
    {"V14", Grade::invalid, "20 %",
     [](Run& r) {
       for (auto& q : r.records)
         if (q.seq % 5 == 0) q.flags |= kFlagWrongModel;
     }},
    {"V15", Grade::suspect, "5 %",
     [](Run& r) {
       for (auto& q : r.records)
         if (q.seq % 20 == 0) q.held_by_cap_ns = 2 * kMs;
     }},
    {"V15", Grade::suspect, "1 request dropped",
     [](Run& r) { r.records[9].status = Status::not_issued, r.records[9].cls = "overload"; }},
    {"V16", Grade::suspect, "60 %", [](Run& r) { r.ticks[3].writer_backlog_bytes = 600'000; }},
    {"V17", Grade::suspect, "50 %",
     [](Run& r) {
       for (auto& q : r.records) q.cached_tokens = 64;
     }},
};

}  // namespace

TEST_CASE("a calm run is VALID, and every check that applies has spoken") {
  const Summary s = Run().summarize();
  for (const Check& c : s.checks) {
    CAPTURE(c.id);
    CAPTURE(c.measured);
    CHECK(c.grade == Grade::valid);
    CHECK(c.advice.empty());
  }
  CHECK(s.verdict == Grade::valid);
  for (const char* id : {"V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9", "V11", "V12", "V13", "V14",
                         "V15", "V16", "V17"}) {
    CHECK_MESSAGE(find_check(s, id) != nullptr, id);
  }
}

TEST_CASE("each fault is seen by its check, with its grade") {
  for (const Fault& fault : kFaults) {
    Run run;
    fault.apply(run);
    const Summary s = run.summarize();
    const Check* check = find_check(s, fault.id);
    CAPTURE(fault.id);
    CAPTURE(fault.measured);
    REQUIRE(check != nullptr);
    CAPTURE(check->measured);
    CHECK(check->grade == fault.grade);
    CHECK(check->measured.find(fault.measured) != std::string::npos);
    CHECK(check->advice.empty() == (fault.grade == Grade::valid));
    CHECK(s.verdict >= fault.grade);
  }
}

TEST_CASE("V5: the last volley of a run limited by count leaves a moment after its window and is no fault") {
  Run run;
  run.options.duration_ns.reset();
  run.options.requests = run.records.size();
  run.options.warmup = {Span::Kind::none, 0, 0};
  const int64_t last_s = run.records.back().scheduled_ns;
  for (auto& record : run.records) {
    if (record.seq + 20 < run.records.size()) continue;
    record.scheduled_ns = record.released_ns = last_s;
    record.sent_ns = last_s + 50'000;
  }
  const Summary s = run.summarize();
  const Check* check = find_check(s, "V5");
  REQUIRE(check != nullptr);
  CHECK_MESSAGE(check->grade == Grade::valid, check->measured);
}

TEST_CASE("V17 does not apply where prompts are shared on purpose") {
  Run run;
  for (auto& r : run.records) r.cached_tokens = 64;
  SUBCASE("shared prefix") {
    run.manifest.workloads[0].shared_prefix = true;
  }
  SUBCASE("sessions") {
    run.manifest.workloads[0].sessions = true;
  }
  SUBCASE("cache_salt: none") {
    run.manifest.workloads[0].cache_salt_none = true;
  }
  CHECK(find_check(run.summarize(), "V17") == nullptr);
}

TEST_CASE("V2: a lost, a doubled and a miscounted record") {
  Run run;
  const RunDir dir;
  std::string lines = lines_of(run.records, run.options, run.ticks);
  const auto line_at = [&](size_t number) {
    size_t begin = 0;
    for (; number > 0; --number) begin = lines.find('\n', begin) + 1;
    return std::pair{begin, lines.find('\n', begin) + 1 - begin};
  };
  SUBCASE("a line lost in the file") {
    const auto [begin, size] = line_at(100);
    lines.erase(begin, size);
    const Summary s = dir.summarize(run.manifest, lines);
    CHECK(find_check(s, "V2")->grade == Grade::invalid);
    CHECK(find_check(s, "V16")->grade == Grade::invalid);
  }
  SUBCASE("a line damaged in the file") {
    lines[line_at(100).first + 30] ^= 1;
    CHECK(find_check(dir.summarize(run.manifest, lines), "V2")->grade == Grade::invalid);
  }
  SUBCASE("a record that never reached the writer") {
    auto fewer = std::move(run.records);
    const PhaseTotals counted = totals_of(fewer);
    fewer.erase(fewer.begin() + 50);
    RecordWriter writer;
    PhaseLine begin;
    begin.phase = "main", begin.workload = "default", begin.duration_ns = 6 * kSecond,
    begin.warmup.kind = Span::Kind::none;
    writer.write_phase(begin);
    for (const RequestRecord& r : fewer) writer.write_request(r);
    writer.write_end({7 * kSecond, "finished", {counted}});
    const Summary s = dir.summarize(run.manifest, writer.pending());
    CHECK(find_check(s, "V2")->grade == Grade::invalid);
    CHECK(find_check(s, "V2")->measured == "1 request number missing or twice");
    CHECK(s.verdict == Grade::invalid);
  }
  SUBCASE("the last record never reached the writer: only the second counter knows") {
    auto fewer = std::move(run.records);
    const PhaseTotals counted = totals_of(fewer);
    fewer.pop_back();
    RecordWriter writer;
    for (const RequestRecord& r : fewer) writer.write_request(r);
    writer.write_end({7 * kSecond, "finished", {counted}});
    CHECK(find_check(dir.summarize(run.manifest, writer.pending()), "V2")->measured ==
          "default/main planned: 599 in the records, 600 counted by the workers");
  }
  SUBCASE("counters that break the law") {
    RecordWriter writer;
    for (const RequestRecord& r : run.records) writer.write_request(r);
    PhaseTotals counted = totals_of(run.records);
    counted.ok -= 1, counted.failed += 1;
    writer.write_end({7 * kSecond, "finished", {counted}});
    CHECK(find_check(dir.summarize(run.manifest, writer.pending()), "V2")->grade == Grade::invalid);
  }
}

TEST_CASE("a crash: summary from what is there, and the requests that never ended are known") {
  Run run;
  run.options.end_line = false;
  run.ticks.back().totals[0].planned = run.ticks.back().totals[0].issued = 640;
  std::string lines = lines_of(run.records, run.options, run.ticks);
  lines.resize(lines.size() - 20);  // torn
  const RunDir dir;
  const Summary s = dir.summarize(run.manifest, lines);
  CHECK(s.end_reason == "crashed");
  CHECK(s.records.torn_tail);
  CHECK(find_check(s, "V1")->grade == Grade::invalid);
  CHECK(find_check(s, "V2")->grade == Grade::valid);
  CHECK(s.phases[0].counts.ok == 600);
  CHECK(s.phases[0].unfinished == 40);
}

TEST_CASE("a crash between two ticks: holes in the request numbers tell what was in flight") {
  Run run;
  run.options.end_line = false;
  run.ticks.clear();
  run.records.erase(run.records.begin() + 590, run.records.begin() + 595);
  CHECK(run.summarize().phases[0].unfinished == 5);
}

TEST_CASE("V10: a backlog that rises in an open loop, and a run that never settles") {
  Run calm(30);
  CHECK(find_check(calm.summarize(), "V10")->grade == Grade::valid);
  Run rising(30);
  for (RequestRecord& r : rising.records)
    r.end_ns += r.scheduled_ns / 2;  // each answer takes longer than the last
  const Summary s = rising.summarize();
  CHECK(find_check(s, "V10")->grade == Grade::suspect);
  CHECK(find_check(s, "V10")->advice == "rate above capacity: lower the rate");
  rising.options.unsteady = true;
  CHECK(find_check(rising.summarize(), "V10") == nullptr);
}

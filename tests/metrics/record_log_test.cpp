#include "metrics/record_log.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/hash.hpp"
#include "sample_records.hpp"

using namespace tokometer;

namespace {

// Writes what it reads again: equal text means that nothing was lost on the way.
struct Rewriter : RecordVisitor {
  RecordWriter writer;
  void on_request(const RequestRecord& r) override { writer.write_request(r); }
  void on_phase(const PhaseLine& l) override { writer.write_phase(l); }
  void on_tick(const TickLine& l) override { writer.write_tick(l); }
  void on_warn(const WarnLine& l) override { writer.write_warn(l); }
  void on_end(const EndLine& l) override { writer.write_end(l); }
};

PhaseLine begin_line() {
  PhaseLine line;
  line.phase = "steady", line.workload = "chat", line.at_ns = 5;
  line.duration_ns = 120'000'000'000, line.requests = 7, line.rate_per_s = 8.5, line.users = 3,
  line.max_in_flight = 9;
  line.warmup = {Span::Kind::count, 0, 64}, line.cooldown = {Span::Kind::duration, 1'000, 0};
  line.open_loop = false, line.unsteady = true, line.measure = false, line.load = "poisson",
  line.overload = "queue";
  return line;
}

TickLine tick_line() {
  TickLine line;
  line.at_ns = 1'000'000'000, line.last_seq = 17, line.in_flight = 3, line.rss_bytes = 1 << 20, line.fds = 12;
  line.rss_peak_bytes = 1 << 21, line.cpu_ns = 987;
  line.totals = {{"chat", "steady", 10, 9, 1, 5, 1, 0, 123, 120}};
  line.threads = {{"io-0", true, 5'000, 10, 70'000}, {"writer", false, 6, 0, 0}};
  line.host_gap_ns = 1, line.clock_steps = 2, line.suspended_ns = 3, line.reads = 4,
  line.user_stamp_reads = 5;
  line.token_events = 6, line.flagged_events = 7, line.writer_backlog_bytes = 8,
  line.writer_backlog_limit_bytes = 9;
  line.client_lag.record(12'345, 3);
  line.client_lag.record(int64_t{1} << 43);
  line.ambiguity.record(99);
  return line;
}

std::string sample_file(int requests = 2) {
  BlockPool pool;
  RecordWriter writer;
  writer.write_phase(begin_line());
  for (int i = 0; i < requests; ++i) {
    RequestRecord r = test::full_record(pool);
    r.seq = static_cast<uint64_t>(i);
    writer.write_request(r);
  }
  RequestRecord bare;
  bare.workload = "chat", bare.phase = "steady", bare.cls = "overload", bare.scheduled_ns = 0;
  writer.write_request(bare);
  writer.write_tick(tick_line());
  PhaseLine end;
  end.phase = "steady", end.workload = "chat", end.event = PhaseLine::Event::end, end.at_ns = 77;
  writer.write_phase(end);
  writer.write_warn({3, "clock_step", "the wall clock \"jumped\""});
  writer.write_end({99, "finished", {{"chat", "steady", 3, 2, 1, 0, 2, 0}}});
  return std::string(writer.pending());
}

struct Counter : RecordVisitor {
  uint64_t requests = 0;
  void on_request(const RequestRecord&) override { ++requests; }
};

}  // namespace

TEST_CASE("every line comes back as it was written") {
  const std::string text = sample_file();
  Rewriter rewriter;
  const ReadReport report = read_records_text(text, rewriter);
  CHECK(rewriter.writer.pending() == text);
  CHECK(report.lines == 8);
  CHECK(report.request_lines == 3);
  CHECK(report.damaged == 0);
  CHECK(report.missing == 0);
  CHECK(report.has_end);
  CHECK_FALSE(report.torn_tail);
}

TEST_CASE("the form of a request line") {
  BlockPool pool;
  RecordWriter writer;
  writer.write_request(test::full_record(pool));
  CHECK(
      writer.pending() ==
      R"({"t":"request","seq":17,"id":"3f9c1a-17","workload":"chat","phase":"steady","session":"s\"1","turn":2,)"
      R"("sample":5,"model":"Llama-3.1-8B","adapter":"sql-lora","class":"in_band","http_status":200,)"
      R"("finish_reason":"abort","error":"Model é is\\n overloaded","attempts":2,"scheduled_ns":1000000001,)"
      R"("released_ns":1000000100,"held_by_cap_ns":50,"connect_ns":1000000200,"tcp_ready_ns":1000000300,)"
      R"("tls_ready_ns":1000000400,"sent_ns":1000001000,"send_done_ns":1000002000,"first_byte_ns":1050000000,)"
      R"("first_event_ns":1050000001,"first_token_ns":1060000000,"first_answer_ns":1080000000,)"
      R"("last_token_ns":1100000000,"end_ns":1100000001,"prompt_tokens":128,"cached_tokens":16,"output_tokens":7,)"
      R"("reasoning_tokens":1,"asked_output_tokens":32,"per_event_tokens":8,"first_event_tokens":1,)"
      R"("endpoint":"127.0.0.1:8000","conn":3,"events":4,"client_lag_max_ns":21000,"bytes_sent":900,)"
      R"("bytes_received":4096,"status":"failed","flags":["no_done","coalesced","wrong_model"],)"
      R"("token_source":"usage","prompt_source":"dataset","reused":true,"stamp":"kernel","text_crc":"00ab12cd",)"
      R"("gaps_us":[20000,0,20000],"k":[1,2,3,1],"coalesced":[2],"choice":[0,1,0,0],)"
      R"("server":{"queue_time":0.25,"own ttft":3},"n":1,"crc":"daccb840"})"
      "\n");
}

TEST_CASE("without gaps a line has none, and the rest is the same") {
  BlockPool pool;
  RecordWriter writer(RecordWriter::Options{.gaps = false});
  writer.write_request(test::full_record(pool));
  CHECK(writer.pending().find("gaps_us") == std::string_view::npos);
  CHECK(writer.pending().find("\"first_event_tokens\":1") != std::string_view::npos);
}

TEST_CASE("the checksum covers all bytes before it, and numbers count from 1") {
  const std::string text = sample_file();
  size_t begin = 0, number = 0;
  for (size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    const size_t tail = line.rfind(",\"crc\":\"");
    char crc[9];
    std::snprintf(crc, sizeof crc, "%08x", crc32c(line.substr(0, tail)));
    CHECK(line.substr(tail) == ",\"crc\":\"" + std::string(crc) + "\"}");
    const std::string n = ",\"n\":" + std::to_string(++number);
    CHECK(line.substr(tail - n.size(), n.size()) == n);
  }
}

TEST_CASE("a file cut at any byte loses the cut line and no other") {
  const std::string text = sample_file();
  uint64_t whole = 0;
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    if (cut > 0 && text[cut - 1] == '\n') ++whole;
    Counter counter;
    const ReadReport report = read_records_text(std::string_view(text).substr(0, cut), counter);
    REQUIRE(report.lines == whole);
    REQUIRE(report.damaged == 0);
    REQUIRE(report.missing == 0);
    REQUIRE(report.torn_tail == (cut > 0 && text[cut - 1] != '\n'));
  }
}

TEST_CASE("a flipped bit never gives a wrong line") {
  const std::string text = sample_file(1);
  Counter intact;
  const ReadReport good = read_records_text(text, intact);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    Rewriter rewriter;
    const ReadReport report = read_records_text(damaged, rewriter);
    // At least the line of that bit is gone (two, where a line end vanished), and it is counted.
    REQUIRE(report.lines < good.lines);
    REQUIRE(report.lines >= good.lines - 2);
    REQUIRE(report.damaged + (report.torn_tail ? 1 : 0) >= 1);
    if (report.has_end) REQUIRE(report.missing == good.lines - report.lines);  // the gap in the numbers tells
  }
}

TEST_CASE("a lost line shows as a gap in the numbers; a copied one is not used twice") {
  const std::string text = sample_file();
  const size_t first = text.find('\n') + 1, second = text.find('\n', first) + 1;
  Counter counter;
  SUBCASE("lost") {
    const ReadReport report = read_records_text(text.substr(0, first) + text.substr(second), counter);
    CHECK(report.missing == 1);
    CHECK(counter.requests == 2);
  }
  SUBCASE("copied") {
    const std::string line = text.substr(first, second - first);
    const ReadReport report = read_records_text(text.substr(0, second) + line + text.substr(second), counter);
    CHECK(report.damaged == 1);
    CHECK(report.missing == 0);
    CHECK(counter.requests == 3);
  }
}

TEST_CASE("unknown keys and kinds of a newer version are passed over") {
  const auto sealed = [](std::string body) {
    char crc[9];
    std::snprintf(crc, sizeof crc, "%08x", crc32c(body));
    return body + ",\"crc\":\"" + crc + "\"}\n";
  };
  Counter counter;
  const ReadReport report = read_records_text(
      sealed(
          R"({"t":"request","seq":1,"news":[1,{"n":7}],"more":{"seq":4,"gaps_us":[1,2]},"status":"ok","n":1)") +
          sealed(R"({"t":"weather","n":2)"),
      counter);
  CHECK(report.lines == 2);
  CHECK(report.unknown == 1);
  CHECK(counter.requests == 1);
}

TEST_CASE("a line with a good checksum and an impossible form is damage") {
  const std::string bodies[] = {
      R"({"t":"request","seq":"x","status":"ok","n":1)", R"({"t":"request","seq":1,"status":"fine","n":1)",
      R"({"t":"request","seq":1,"status":"ok")", R"({"t":"request","seq":1,"end_ns":1.5,"status":"ok","n":1)",
      R"({"t":"request","seq":1,"status":"ok","gaps_us":[1],"k":[1,2,3],"n":1)"};
  for (const std::string& body : bodies) {
    char crc[9];
    std::snprintf(crc, sizeof crc, "%08x", crc32c(body));
    Counter counter;
    CAPTURE(body);
    const ReadReport report = read_records_text(body + ",\"crc\":\"" + crc + "\"}\n", counter);
    CHECK(report.damaged == 1);
    CHECK(counter.requests == 0);
  }
}

TEST_CASE("a file of several megabytes is read in pieces and gives the same") {
  BlockPool pool;
  RecordWriter writer;
  RequestRecord r = test::full_record(pool);
  for (int i = 0; i < 100'000; ++i) r.timeline.add(pool, 40'000 + i * 20'000, 1);  // one line of 600 KB
  for (int i = 0; i < 5; ++i) writer.write_request(r);
  const auto file = std::filesystem::temp_directory_path() / "tokometer_record_log_test.jsonl";
  std::ofstream(file, std::ios::binary) << writer.pending();
  Rewriter rewriter;
  const auto report = read_records(file, rewriter);
  std::filesystem::remove(file);
  REQUIRE(report);
  CHECK(report->request_lines == 5);
  CHECK((rewriter.writer.pending() == writer.pending()));
}

TEST_CASE("a missing file is an error that names it") {
  Counter counter;
  const auto report = read_records("/no/such/records.jsonl", counter);
  REQUIRE_FALSE(report);
  CHECK(to_string(report.error()) ==
        "/no/such/records.jsonl: cannot open the records: No such file or directory");
}

TEST_CASE("a writer's memory is reused") {
  BlockPool pool;
  RecordWriter writer;
  const RequestRecord r = test::full_record(pool);
  writer.write_request(r);
  const char* before = writer.pending().data();
  for (int i = 0; i < 100; ++i) {
    writer.clear_pending();
    writer.write_request(r);
  }
  CHECK(writer.pending().data() == before);
  CHECK(writer.request_lines() == 101);
}

// A run directory made by a test: manifest and records written with the real writers, removed at the end.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "metrics/manifest.hpp"
#include "metrics/record_log.hpp"
#include "metrics/summary.hpp"

namespace tokometer::test {

class RunDir {
 public:
  RunDir() {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("tokometer_metrics_" + std::to_string(getpid()) + "_" + std::to_string(number++));
    std::filesystem::create_directories(path_);
  }
  ~RunDir() { std::filesystem::remove_all(path_); }
  RunDir(const RunDir&) = delete;
  RunDir& operator=(const RunDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const char* name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  Summary summarize(const Manifest& manifest, std::string_view records) const {
    write("manifest.json", manifest_json(manifest));
    write("records.jsonl", records);
    auto summary = tokometer::summarize(path_);
    REQUIRE(summary);
    return std::move(*summary);
  }

 private:
  std::filesystem::path path_;
};

constexpr int64_t kMs = 1'000'000, kSecond = 1'000'000'000;

inline Manifest plain_manifest() {
  Manifest m;
  m.run_id = "chat-8b-20261122T043601Z-3f9c1a", m.name = "chat-8b", m.tool_version = "0.1.0", m.seed = 42;
  m.command = "tokometer run chat.yaml --set load.options.rate=8";
  m.host.cores = 4;
  m.target.url = "http://localhost:8000", m.target.server = "vLLM 0.28.0";
  m.workloads.push_back({"default", "vllm", "synthetic", "poisson", "meta-llama/Llama-3.1-8B-Instruct"});
  return m;
}

// One phase "main" of workload "default" from 0 on.
struct PhaseOptions {
  std::optional<int64_t> duration_ns;
  std::optional<uint64_t> requests;
  Span warmup{Span::Kind::none};
  bool open_loop = true;
  bool unsteady = false;
  int64_t load_end_ns = kAbsent;
  int64_t begin_ns = 0;
  bool end_line = true;
  std::string reason = "finished";
};

inline PhaseTotals totals_of(const std::vector<RequestRecord>& records) {
  PhaseTotals t{"default", "main"};
  for (const RequestRecord& r : records) {
    ++t.planned;
    ++(r.status == Status::not_issued ? t.not_issued : t.issued);
    t.ok += r.status == Status::ok, t.failed += r.status == Status::failed,
        t.cancelled += r.status == Status::cancelled;
  }
  return t;
}

// The lines of a whole run; the records' phase and workload must be "main" and "default".
inline std::string lines_of(const std::vector<RequestRecord>& records, const PhaseOptions& options,
                            const std::vector<TickLine>& ticks = {}) {
  RecordWriter writer;
  PhaseLine begin;
  begin.phase = "main", begin.workload = "default", begin.at_ns = options.begin_ns;
  begin.duration_ns = options.duration_ns, begin.requests = options.requests, begin.warmup = options.warmup;
  begin.open_loop = options.open_loop, begin.unsteady = options.unsteady,
  begin.load = options.open_loop ? "poisson" : "concurrency";
  writer.write_phase(begin);
  for (const RequestRecord& r : records) writer.write_request(r);
  for (const TickLine& tick : ticks) writer.write_tick(tick);
  PhaseLine end = begin;
  end.event = PhaseLine::Event::load_end;
  end.at_ns = options.load_end_ns != kAbsent ? options.load_end_ns
              : options.duration_ns          ? options.begin_ns + *options.duration_ns
                                             : 0;
  if (end.at_ns != 0) writer.write_phase(end);
  if (options.end_line) writer.write_end({100 * kSecond, options.reason, {totals_of(records)}});
  return std::string(writer.pending());
}

// An ok streamed request: `gaps_ms` between its token events.
inline RequestRecord ok_record(BlockPool& pool, uint64_t seq, int64_t s_ns, int64_t ttft_ns,
                               const std::vector<int64_t>& gaps_us) {
  RequestRecord r;
  r.seq = seq, r.id = "t-" + std::to_string(seq), r.workload = "default", r.phase = "main",
  r.status = Status::ok;
  r.scheduled_ns = s_ns, r.released_ns = s_ns + 1'000, r.sent_ns = s_ns + 20'000,
  r.send_done_ns = s_ns + 30'000;
  r.first_token_ns = s_ns + ttft_ns;
  r.first_byte_ns = r.first_event_ns = r.first_answer_ns = r.first_token_ns;
  int64_t at_us = 0;
  r.timeline.add(pool, 0, 1);
  for (const int64_t gap : gaps_us) r.timeline.add(pool, at_us += gap, 1);
  r.last_token_ns = r.first_token_ns + at_us * 1000;
  r.end_ns = r.last_token_ns + 5'000;
  r.events = static_cast<int64_t>(gaps_us.size()) + 1;
  r.prompt_tokens = 128, r.output_tokens = r.events, r.asked_output_tokens = r.events;
  r.token_source = TokenSource::usage, r.http_status = 200, r.finish_reason = "length", r.stamp_kernel = true;
  return r;
}

inline const Check* find_check(const Summary& summary, std::string_view id) {
  const Check* worst = nullptr;
  for (const Check& check : summary.checks) {
    if (check.id == id && (worst == nullptr || check.grade > worst->grade)) worst = &check;
  }
  return worst;
}

}  // namespace tokometer::test

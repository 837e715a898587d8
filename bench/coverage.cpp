// How often does the 95 % interval of a p99 hold the true p99? Makes runs whose distribution is known, as
// records on disk, has the product's own reducer read them, and counts. Prints one JSON object; ./dev bench
// verdict judges it.
//
//   coverage KIND RUNS REQUESTS [SEED]     KIND: independent, ar50, ar90, queue70
//
// The one bench program that uses core/: its intervals are what is judged. The truth comes from closed forms.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <tokometer/random.hpp>

#include "metrics/manifest.hpp"
#include "metrics/record_log.hpp"
#include "metrics/summary.hpp"

namespace {

using namespace tokometer;

constexpr double kNormal99 = 2.3263478740408408;  // 99 % point of the normal distribution
constexpr double kMedianMs = 50, kSigma = 0.5;    // lognormal time to first token
constexpr int64_t kSpacingNs = 10'000'000;

struct Kind {
  const char* name;
  double correlation;  // of an AR(1) process behind the lognormal values
  double load;         // of an M/M/1 queue; 0: no queue
};
constexpr Kind kKinds[] = {{"independent", 0, 0}, {"ar50", 0.5, 0}, {"ar90", 0.9, 0}, {"queue70", 0, 0.7}};

const Kind* find_kind(const std::string& name) {
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

// Times of one run in ms, stationary from the first on.
std::vector<double> lognormal_times(const Kind& kind, size_t n, tkm::Random& random) {
  std::vector<double> times;
  double state = random.normal();
  for (size_t i = 0; i < n; ++i) {
    times.push_back(kMedianMs * std::exp(kSigma * state));
    state = kind.correlation * state + std::sqrt(1 - kind.correlation * kind.correlation) * random.normal();
  }
  return times;
}

// Time in an M/M/1 queue with mean service of 10 ms: exponential, with mean service / (1 - load). Lindley's
// recursion, begun with the stationary wait: 0 with probability 1 - load, else as the time in the system.
constexpr double kServiceMs = 10;
std::vector<double> queue_times(double load, size_t n, tkm::Random& random) {
  std::vector<double> times;
  double wait = random.chance(load) ? random.exponential(kServiceMs / (1 - load)) : 0;
  for (size_t i = 0; i < n; ++i) {
    const double service = random.exponential(kServiceMs);
    times.push_back(wait + service);
    wait = std::max(0.0, wait + service - random.exponential(kServiceMs / load));
  }
  return times;
}

double true_p99_ms(const Kind& kind) {
  if (kind.load > 0) return -std::log(0.01) * kServiceMs / (1 - kind.load);
  return kMedianMs * std::exp(kSigma * kNormal99);
}

RequestRecord record_of(size_t i, double ttft_ms) {
  RequestRecord r;
  r.seq = i, r.id = "c-" + std::to_string(i), r.workload = "default", r.phase = "main", r.status = Status::ok;
  r.scheduled_ns = r.released_ns = r.sent_ns = r.send_done_ns = static_cast<int64_t>(i) * kSpacingNs;
  r.first_token_ns = r.scheduled_ns + std::llround(ttft_ms * 1e6);
  r.first_byte_ns = r.first_event_ns = r.first_answer_ns = r.last_token_ns = r.end_ns = r.first_token_ns;
  r.events = r.output_tokens = r.prompt_tokens = 1;
  r.token_source = TokenSource::usage, r.http_status = 200, r.stamp_kernel = true;
  return r;
}

std::string records_of(const std::vector<double>& times) {
  RecordWriter writer;
  PhaseLine phase;
  phase.phase = "main", phase.workload = "default", phase.load = "constant";
  phase.duration_ns = static_cast<int64_t>(times.size()) * kSpacingNs;
  phase.warmup = {Span::Kind::none, 0, 0};
  writer.write_phase(phase);
  PhaseTotals totals{"default", "main", times.size(), times.size(), 0, times.size(), 0, 0, 0, 0};
  for (size_t i = 0; i < times.size(); ++i) writer.write_request(record_of(i, times[i]));
  phase.event = PhaseLine::Event::load_end, phase.at_ns = *phase.duration_ns;
  writer.write_phase(phase);
  writer.write_end({phase.at_ns, "finished", {totals}});
  return std::string(writer.pending());
}

// The interval that the reducer gives; nothing where it gives none.
std::optional<std::pair<double, double>> interval_of(const std::filesystem::path& folder,
                                                     const std::vector<double>& times) {
  std::ofstream(folder / "records.jsonl", std::ios::binary) << records_of(times);
  const auto summary = summarize(folder);
  if (!summary || summary->phases.empty()) {
    std::fprintf(stderr, "coverage: the reducer gave no summary\n");
    std::exit(1);
  }
  return summary->phases.front().find_metric("ttft_sched")->ci95[*percentile_index("p99")];
}

}  // namespace

int main(int argc, char** argv) {
  const Kind* kind = argc >= 4 ? find_kind(argv[1]) : nullptr;
  if (kind == nullptr) return std::fprintf(stderr, "usage: coverage KIND RUNS REQUESTS [SEED]\n"), 2;
  const size_t runs = std::strtoul(argv[2], nullptr, 10), requests = std::strtoul(argv[3], nullptr, 10);
  const uint64_t seed = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 1;
  const auto folder =
      std::filesystem::temp_directory_path() / ("tokometer-coverage-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "manifest.json", std::ios::binary) << manifest_json(Manifest{});
  const double truth_ns = true_p99_ms(*kind) * 1e6;
  size_t covered = 0, above = 0, below = 0, absent = 0;
  for (size_t run = 0; run < runs; ++run) {
    tkm::Random random(seed * 1'000'003 + run, kind->name);
    const auto interval = interval_of(folder, kind->load > 0 ? queue_times(kind->load, requests, random)
                                                             : lognormal_times(*kind, requests, random));
    if (!interval)
      ++absent;
    else if (truth_ns < interval->first)
      ++above;
    else if (truth_ns > interval->second)
      ++below;
    else
      ++covered;
  }
  std::filesystem::remove_all(folder);
  std::printf(
      "{\"kind\": \"%s\", \"runs\": %zu, \"requests\": %zu, \"covered\": %zu, \"interval_above\": %zu, "
      "\"interval_below\": %zu, \"absent\": %zu, \"true_p99_ms\": %.6f}\n",
      kind->name, runs, requests, covered, above, below, absent, true_p99_ms(*kind));
}

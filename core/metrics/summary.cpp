#include "metrics/summary.hpp"

#include <algorithm>
#include <cassert>

#include "base/file.hpp"
#include "metrics/measure_pass.hpp"
#include "metrics/phase_figures.hpp"
#include "metrics/sweep_figures.hpp"
#include "metrics/verdict.hpp"
#include "metrics/verdict_limits.hpp"
#include "metrics/window_pass.hpp"

namespace tokometer {
namespace {

constexpr size_t kMostManifestBytes = size_t{64} << 20;

// A crash leaves requests that were issued and never ended. What the last tick knew of this phase; later ones
// show as holes in the request numbers, and belong to the phase that ran last.
uint64_t unfinished_of(const PhaseScan& scan, const WindowPass& pass) {
  if (pass.has_end()) return 0;
  uint64_t by_tick = 0;
  for (const PhaseTotals& t : pass.counters()) {
    const bool own = t.workload == scan.workload && t.phase == scan.phase;
    if (own) by_tick = t.planned - std::min(t.planned, scan.counts.planned);
  }
  return &scan == pass.scans().back().get() ? std::max(by_tick, pass.missing_sequence_numbers()) : by_tick;
}

Counts& operator+=(Counts& a, const Counts& b) {
  a.planned += b.planned, a.issued += b.issued, a.not_issued += b.not_issued;
  a.ok += b.ok, a.failed += b.failed, a.cancelled += b.cancelled, a.client_failed += b.client_failed;
  return a;
}

// The client's own part of a window, from the ticks.
void add_client(PhaseSummary& phase, PhaseFigures& figures) {
  ClientFigures& client = figures.client;
  phase.has_client = client.ticks != 0;
  if (!phase.has_client) return;
  const Distribution* itl = phase.find_metric("itl");
  const double median_itl = itl != nullptr && itl->count != 0 ? itl->percentile("p50") : 0;
  const auto limit =
      static_cast<int64_t>(std::max(limits::kAmbiguityNs, limits::kAmbiguityPerItl * median_itl));
  if (const double events = client.growth(&TickLine::token_events); events > 0) {
    phase.coalesced_share = static_cast<double>(client.ambiguity.count_above(limit)) / events;
  }
  phase.kernel_stamp_share = client.growth(&TickLine::reads) > 0 ? 1 - client.user_stamp_share() : 0;
  phase.busiest_thread = client.busiest(&ThreadTick::cpu_ns);
  phase.cpu_ns = client.last.cpu_ns - client.first.cpu_ns;
  phase.ticked_ns = static_cast<int64_t>(client.ticked_ns());
  phase.rss_peak_bytes = client.last.rss_peak_bytes;
}

Result<Manifest> read_manifest(const std::filesystem::path& run_dir) {
  const auto file = run_dir / "manifest.json";
  const auto text = read_file(file, kMostManifestBytes);
  if (!text) return text.errors();
  return parse_manifest(*text, file.string());
}

}  // namespace

std::optional<size_t> percentile_index(std::string_view id) {
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    if (kPercentiles[i].id == id) return i;
  }
  return std::nullopt;
}

double Distribution::percentile(std::string_view percentile_id) const {
  const auto index = percentile_index(percentile_id);
  assert(index);
  return percentiles[*index];
}

double Scalar::number() const {
  return std::visit([](auto number) { return static_cast<double>(number); }, value);
}

const Distribution* PhaseSummary::find_metric(std::string_view id) const {
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const Distribution& d) { return d.id == id; });
  return found == metrics.end() ? nullptr : &*found;
}

const Scalar* PhaseSummary::find_scalar(std::string_view id) const {
  const auto found =
      std::find_if(scalars.begin(), scalars.end(), [&](const Scalar& s) { return s.id == id; });
  return found == scalars.end() ? nullptr : &*found;
}

std::string_view to_string(Window how) {
  constexpr std::array<std::string_view, 5> kNames{"duration", "count", "auto", "first fifth", "none"};
  return kNames[static_cast<size_t>(how)];
}

std::string_view to_string(Grade grade) {
  constexpr std::array<std::string_view, 3> kNames{"VALID", "SUSPECT", "INVALID"};
  return kNames[static_cast<size_t>(grade)];
}

bool PhaseSummary::gates_hold() const {
  return std::all_of(gates.begin(), gates.end(), [](const GateResult& gate) { return gate.holds; });
}

Result<PhaseSummary> summarize_point(const std::filesystem::path& run_dir, const std::string& phase,
                                     uint64_t from_byte) {
  auto manifest = read_manifest(run_dir);
  if (!manifest) return manifest.errors();
  WindowPass windows;
  const auto records_file = run_dir / "records.jsonl";
  if (const auto read = read_records(records_file, windows, from_byte); !read) return read.errors();
  windows.place_windows();
  MeasurePass measure(*manifest, windows.scans());
  if (const auto again = read_records(records_file, measure, from_byte); !again) return again.errors();
  for (auto& figures : measure.figures()) {
    if (figures->scan.phase == phase) return summarize_phase(*figures, *manifest);
  }
  return Error{"the records hold nothing about \"" + phase + "\"", records_file.string()};
}

Result<Summary> summarize(const std::filesystem::path& run_dir) {
  const auto records_file = run_dir / "records.jsonl";
  auto manifest = read_manifest(run_dir);
  if (!manifest) return manifest.errors();

  WindowPass windows;
  const auto records = read_records(records_file, windows);
  if (!records) return records.errors();
  windows.place_windows();
  MeasurePass measure(*manifest, windows.scans());
  if (const auto again = read_records(records_file, measure); !again) return again.errors();

  Summary summary;
  summary.records = *records;
  summary.end_reason = windows.has_end() ? windows.end_reason() : "crashed";
  summary.end_ns = windows.last_instant_ns();
  summary.warnings = std::move(windows.warnings());
  for (const auto& scan : windows.scans()) summary.totals += scan->counts;
  summary.checks = judge_run(summary, windows);
  for (auto& figures : measure.figures()) {
    PhaseSummary phase = summarize_phase(*figures, *manifest);
    phase.unfinished = unfinished_of(figures->scan, windows);
    add_client(phase, *figures);
    for (Check& check : judge_phase(phase, *figures, *manifest)) summary.checks.push_back(std::move(check));
    summary.phases.push_back(std::move(phase));
    figures->rows = {};  // the next phase needs the memory
  }
  summary.verdict = worst_of(summary.checks);
  if (manifest->sweep) summary.sweep = sweep_figures(*manifest->sweep, summary);
  summary.manifest = std::move(*manifest);
  return summary;
}

}  // namespace tokometer

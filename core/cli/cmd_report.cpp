#include <array>
#include <tokometer/json.hpp>

#include "base/file.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/input.hpp"
#include "cli/outcome.hpp"
#include "cli/print.hpp"
#include "metrics/record_log.hpp"
#include "metrics/summary.hpp"
#include "report/report.hpp"

namespace tokometer {
namespace {

constexpr size_t kMaxSummaryBytes = 256u << 20u;

// Refused before anything is read: a name that is no run directory.
Result<void> check_directory(const std::filesystem::path& directory) {
  std::error_code error;
  const std::string shown = escape_terminal(directory.string());
  if (!std::filesystem::is_directory(directory, error)) return Error{shown + ": no such directory"};
  if (!std::filesystem::exists(directory / "manifest.json", error)) {
    return Error{shown + ": not a run directory: it has no manifest.json"};
  }
  return {};
}

Result<void> check_point(const Summary& summary, const std::string& point) {
  std::vector<std::string> names;
  for (const PhaseSummary& phase : summary.phases) {
    if (phase.phase == point) return {};
    names.push_back(phase.phase);
  }
  if (point.empty()) return {};
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + escape_terminal(name, 64);
  const auto near = nearest_name(point, names);
  return Error{"--point: there is no point or phase \"" + escape_terminal(point, 64) + "\"; " +
               (near ? "did you mean \"" + *near + "\"?" : "there are: " + all)};
}

// Counts request lines by itself, apart from the reducer.
class LineCounter final : public RecordVisitor {
 public:
  void on_request(const RequestRecord& record) override { ++by_status_[static_cast<size_t>(record.status)]; }
  void on_end(const EndLine& line) override {
    for (const PhaseTotals& t : line.totals) {
      counted_.planned += t.planned, counted_.issued += t.issued, counted_.not_issued += t.not_issued;
      counted_.ok += t.ok, counted_.failed += t.failed, counted_.cancelled += t.cancelled;
    }
  }
  uint64_t of(Status status) const { return by_status_[static_cast<size_t>(status)]; }
  const Counts& counted() const { return counted_; }  // by the run's own counters; zero without an end line

 private:
  std::array<uint64_t, 4> by_status_{};
  Counts counted_;
};

struct Findings {
  ReadReport read;
  Counts lines, counters;
  std::vector<std::string> faults;
};

Counts counts_of(const LineCounter& counter) {
  Counts lines;
  lines.ok = counter.of(Status::ok), lines.failed = counter.of(Status::failed);
  lines.cancelled = counter.of(Status::cancelled), lines.not_issued = counter.of(Status::not_issued);
  lines.issued = lines.ok + lines.failed + lines.cancelled;
  lines.planned = lines.issued + lines.not_issued;
  return lines;
}

void compare(Findings& found, const char* name, uint64_t lines, uint64_t counted) {
  if (lines == counted) return;
  found.faults.push_back(std::string(name) + ": " + std::to_string(lines) + " in the records, " +
                         std::to_string(counted) + " by the run's own counters");
}

void check_law(Findings& found) {
  const ReadReport& read = found.read;
  if (read.damaged > 0) found.faults.push_back(std::to_string(read.damaged) + " damaged lines");
  if (read.missing > 0) found.faults.push_back(std::to_string(read.missing) + " missing lines");
  if (!read.has_end) {
    found.faults.push_back(std::string("no end line: the run crashed") +
                           (read.torn_tail ? "; its last line is torn" : ""));
    return;  // the counters of its last moment died with it
  }
  compare(found, "planned", found.lines.planned, found.counters.planned);
  compare(found, "issued", found.lines.issued, found.counters.issued);
  compare(found, "not issued", found.lines.not_issued, found.counters.not_issued);
  compare(found, "ok", found.lines.ok, found.counters.ok);
  compare(found, "failed", found.lines.failed, found.counters.failed);
  compare(found, "cancelled", found.lines.cancelled, found.counters.cancelled);
}

// summary.json, if there is one, must be what the records give.
void check_summary(Findings& found, const std::filesystem::path& directory) {
  std::error_code error;
  if (!std::filesystem::exists(directory / "summary.json", error)) return;
  auto written = read_file(directory / "summary.json", kMaxSummaryBytes);
  auto summary = summarize(directory);
  if (!written) return found.faults.push_back(to_string(written.error()));
  if (!summary) return found.faults.push_back(to_string(summary.error()));
  if (summary_json(*summary) != *written) {
    found.faults.emplace_back("summary.json is not what the records give; `tokometer report` makes it again");
  }
}

std::string text_of(const Findings& found, const std::string& directory) {
  std::string text = "lines      " + std::to_string(found.read.lines) + " good, " +
                     std::to_string(found.read.damaged) + " damaged, " + std::to_string(found.read.missing) +
                     " missing\n";
  text += "requests   planned " + std::to_string(found.lines.planned) + " = issued " +
          std::to_string(found.lines.issued) + " + not issued " + std::to_string(found.lines.not_issued) +
          "; issued = ok " + std::to_string(found.lines.ok) + " + failed " +
          std::to_string(found.lines.failed) + " + cancelled " + std::to_string(found.lines.cancelled) + "\n";
  for (const std::string& fault : found.faults) text += "fault      " + fault + "\n";
  return text + escape_terminal(directory) + ": " + (found.faults.empty() ? "ok" : "NOT ok") + "\n";
}

std::string json_of(const Findings& found) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("ok", found.faults.empty()).member("lines", found.read.lines);
  json.member("damaged", found.read.damaged).member("missing", found.read.missing);
  json.member("torn_tail", found.read.torn_tail).member("has_end", found.read.has_end);
  json.member("planned", found.lines.planned).member("issued", found.lines.issued);
  json.member("not_issued", found.lines.not_issued).member("completed", found.lines.ok);
  json.member("failed", found.lines.failed)
      .member("cancelled", found.lines.cancelled)
      .key("faults")
      .begin_array();
  for (const std::string& fault : found.faults) json.value(fault);
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace

int report_command(const CommandLine& line) {
  const std::filesystem::path directory = line.inputs.front();
  if (auto is_run = check_directory(directory); !is_run) return complain(is_run.errors()), kRefused;
  auto summary = summarize(directory);
  if (!summary) return complain(summary.errors()), kIncomplete;
  if (auto is_there = check_point(*summary, line.point); !is_there)
    return complain(is_there.errors()), kRefused;
  Outcome outcome = outcome_of(*summary);
  if (auto written = write_reports(directory, *summary); !written) {
    complain(written.errors());
    outcome.records_incomplete = true;
  }
  const Style style = line.style.value_or(style_from_name(summary->manifest.console).value_or(Style::table));
  print(render_console(*summary, {style, wants_colour(), directory.string(), line.point}));
  return exit_code(outcome, line.strict);
}

int verify_command(const CommandLine& line) {
  const std::filesystem::path directory = line.inputs.front();
  if (auto is_run = check_directory(directory); !is_run) return complain(is_run.errors()), kRefused;
  LineCounter counter;
  auto read = read_records(directory / "records.jsonl", counter);
  if (!read) return complain(read.errors()), kIncomplete;
  Findings found{*read, counts_of(counter), counter.counted(), {}};
  check_law(found);
  check_summary(found, directory);
  print(line.json ? json_of(found) : text_of(found, directory.string()));
  return found.faults.empty() ? kFinished : kIncomplete;
}

}  // namespace tokometer

#include "cli/matrix_run.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <tokometer/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "cli/host.hpp"
#include "cli/matrix_report.hpp"
#include "cli/outcome.hpp"
#include "cli/print.hpp"
#include "cli/run_one.hpp"
#include "cli/signals.hpp"
#include "metrics/summary.hpp"

namespace tokometer {
namespace {

constexpr size_t kSaltDigits = 6;
constexpr size_t kMostMatrixBytes = 64u << 20u;

class MatrixCommand {
 public:
  MatrixCommand(const CommandLine& line, const LogSink& log_sink, MatrixInput input)
      : line_(line), log_sink_(log_sink), input_(std::move(input)) {}

  int run();

 private:
  void plan_runs();
  Result<void> make_parent();
  Result<void> take_up();
  void adopt(MatrixRun& run);
  void collect(MatrixRun& run);
  std::string free_folder(const MatrixRun& run) const;
  int run_missing();
  Result<void> publish() const;

  const CommandLine& line_;
  const LogSink& log_sink_;
  MatrixInput input_;
  MatrixFacts facts_;
  std::vector<MatrixRun> runs_;
  std::filesystem::path parent_;
};

std::string folder_of(const MatrixRun& run, uint64_t repeat) {
  if (repeat == 1) return run.cell;
  return (run.cell.empty() ? "" : run.cell + ".") + "round-" + std::to_string(run.round);
}

// Round by round, so that drift hits all cells alike.
void MatrixCommand::plan_runs() {
  facts_ = {name_of(input_.cells.front().file, line_), line_.text, utc_now(), input_.repeat};
  for (uint64_t round = 1; round <= input_.repeat; ++round) {
    for (const MatrixInput::Cell& cell : input_.cells) {
      MatrixRun run;
      run.cell = cell.name, run.values = cell.values, run.round = round;
      run.file_sha256 = sha256_hex(cell.file.resolved_json);
      runs_.push_back(std::move(run));
    }
  }
}

Result<void> MatrixCommand::make_parent() {
  auto made = make_fresh_directory(input_.cells.front().file.output.dir,
                                   directory_name(facts_.name, facts_.start_utc, random_hex(kSaltDigits)));
  if (!made) return made.errors();
  parent_ = std::move(*made);
  return {};
}

// The directory of an earlier program: the same runs must be meant.
Result<void> MatrixCommand::take_up() {
  parent_ = line_.resume;
  const auto file = parent_ / "matrix.json";
  auto text = read_file(file, kMostMatrixBytes);
  if (!text) return text.errors();
  tkm::JsonDocument json;
  if (!tkm::parse_json(*text, json)) return Error{"not a matrix", file.string()};
  std::map<std::pair<std::string, int64_t>, std::string> known;
  const tkm::Json* list = tkm::find(json, "runs");
  if (list == nullptr || !list->IsArray()) return Error{"not a matrix", file.string()};
  for (const tkm::Json& run : list->GetArray()) {
    known[{std::string(tkm::get_string(run, "cell")), tkm::get_int(run, "round")}] =
        tkm::get_string(run, "file_sha256");
  }
  facts_.start_utc = tkm::get_string(json, "start_utc");
  for (MatrixRun& run : runs_) {
    const auto found = known.find({run.cell, static_cast<int64_t>(run.round)});
    if (found == known.end() || found->second != run.file_sha256) {
      return Error{"--resume: the run \"" + escape_terminal(folder_of(run, facts_.repeat), 120) + "\" " +
                   (found == known.end() ? "is not part of" : "was made of another run file in") + " " +
                   escape_terminal(parent_.string(), 200)};
    }
    adopt(run);
  }
  return {};
}

// A run is done if its records have an end that was not a signal. Another folder of the same run was left by
// a program that did not come that far: it stays, unused.
void MatrixCommand::adopt(MatrixRun& run) {
  const std::string base = folder_of(run, facts_.repeat);
  for (int n = 1;; ++n) {
    const std::string folder = n == 1 ? base : base + ".again-" + std::to_string(n);
    std::error_code error;
    if (!std::filesystem::exists(parent_ / folder, error)) return;
    run.folder = folder;
    collect(run);
    if (run.done) return;
    run.folder.clear();
  }
}

void MatrixCommand::collect(MatrixRun& run) {
  auto summary = summarize(parent_ / run.folder);
  if (!summary) return;
  const Outcome outcome = outcome_of(*summary);
  run.done = summary->records.has_end && outcome.stopped_by == 0;
  run.rows.clear();
  for (const PhaseSummary& phase : summary->phases) run.rows.push_back(row_of(phase, *summary));
  if (!run.done) return;
  run.exit_code = exit_code(outcome, line_.strict);
  std::error_code error;
  if (!std::filesystem::exists(parent_ / run.folder / "summary.json", error)) {
    if (auto written = write_reports(parent_ / run.folder, *summary); !written) complain(written.errors());
  }
}

std::string MatrixCommand::free_folder(const MatrixRun& run) const {
  const std::string base = folder_of(run, facts_.repeat);
  std::string folder = base;
  std::error_code error;
  for (int n = 2; std::filesystem::exists(parent_ / folder, error); ++n) {
    folder = base + ".again-" + std::to_string(n);
  }
  return folder;
}

Result<void> MatrixCommand::publish() const {
  if (auto done = publish_file(parent_ / "matrix.json", matrix_json(facts_, runs_)); !done) return done;
  return publish_file(parent_ / "matrix.csv", matrix_csv(runs_));
}

// The signal that ended it, or 0.
int MatrixCommand::run_missing() {
  for (size_t i = 0; i < runs_.size(); ++i) {
    MatrixRun& run = runs_[i];
    if (run.done) continue;
    run.folder = free_folder(run);
    if (!line_.quiet) {
      complain("tokometer: run " + std::to_string(i + 1) + " of " + std::to_string(runs_.size()) + ": " +
               run.folder + "\n");
    }
    const RanOne ran = run_one(line_, log_sink_, input_.cells[i % input_.cells.size()].file, *input_.registry,
                               {parent_, run.folder, false});
    const int late = ran.directory.empty() ? 0 : take_late_signal();
    if (ran.directory.empty()) {
      run.folder.clear();
    } else {
      collect(run);
    }
    run.exit_code = ran.exit_code;
    if (auto written = publish(); !written) complain(written.errors());
    const int signal = ran.stopped_by != 0 ? ran.stopped_by : late;
    if (signal != 0) return signal;
  }
  return 0;
}

// What matters most first: files, then runs that were not made, doubtful ones, gates.
int worst_code(const std::vector<MatrixRun>& runs) {
  for (const int code : {kInternalError, kIncomplete, kNotReady, kRefused, kInvalid, kGateFailed}) {
    const auto is = [code](const MatrixRun& run) { return run.exit_code == code; };
    if (std::any_of(runs.begin(), runs.end(), is)) return code;
  }
  return kFinished;
}

int MatrixCommand::run() {
  plan_runs();
  if (auto ready = line_.resume.empty() ? make_parent() : take_up(); !ready) {
    return complain(ready.errors()), kRefused;
  }
  if (auto written = publish(); !written) return complain(written.errors()), kIncomplete;
  const int signal = run_missing();
  const std::string& console = input_.cells.front().file.output.console;
  const Style style = line_.style.value_or(style_from_name(console).value_or(Style::table));
  const std::string table = render_matrix(facts_, runs_, Style::table);
  if (auto written = publish_file(parent_ / "console.txt", table); !written) complain(written.errors());
  print(style == Style::table ? table : render_matrix(facts_, runs_, style));
  if (style == Style::table) print("Wrote " + parent_.string() + "/   " + escape_terminal(line_.text) + "\n");
  return signal != 0 ? 128 + signal : worst_code(runs_);
}

}  // namespace

int run_matrix(const CommandLine& line, const LogSink& log_sink, MatrixInput input) {
  return MatrixCommand(line, log_sink, std::move(input)).run();
}

}  // namespace tokometer

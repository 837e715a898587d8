#include "cli/matrix_report.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "report/json_lines.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

constexpr uint64_t kFewestForDeviation = 3;

using Statistic = std::function<double(const std::vector<double>&)>;

double mean_of_values(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double mean = mean_of_values(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

// The rows of one cell and one point, over the rounds.
class Rounds {
 public:
  explicit Rounds(const std::vector<const PointRow*>& rows) : rows_(rows) {}

  PointRow combine(const std::string& label, const Statistic& statistic) const {
    PointRow row = *rows_.front();
    row.name += " " + label;
    row.gates = worst_gates();
    for (double PointRow::*field :
         {&PointRow::done_per_s, &PointRow::wire, &PointRow::output_per_s, &PointRow::total_per_s}) {
      row.*field = *over([&](const PointRow& r) { return std::optional(r.*field); }, statistic);
    }
    row.offered = over([](const PointRow& r) { return r.offered; }, statistic);
    row.good = over([](const PointRow& r) { return r.good; }, statistic);
    for (PointRow::Tokens PointRow::*tokens : {&PointRow::ok, &PointRow::cancelled, &PointRow::failed}) {
      const auto count = [&](const PointRow& r) {
        return std::optional(static_cast<double>((r.*tokens).requests));
      };
      (row.*tokens).requests = static_cast<uint64_t>(std::llround(*over(count, statistic)));
    }
    for (PointRow::Latency PointRow::*latency :
         {&PointRow::ttft, &PointRow::itl, &PointRow::tpot, &PointRow::e2e}) {
      for (std::optional<double> PointRow::Latency::*value :
           {&PointRow::Latency::mean, &PointRow::Latency::p50, &PointRow::Latency::p99}) {
        (row.*latency).*value = over([&](const PointRow& r) { return (r.*latency).*value; }, statistic);
      }
      for (const PointRow* other : rows_) {
        (row.*latency).p99_is_sure &= (other->*latency).p99_is_sure;
        (row.*latency).p99_is_at_least |= (other->*latency).p99_is_at_least;
      }
    }
    return row;
  }

 private:
  std::optional<double> over(const std::function<std::optional<double>(const PointRow&)>& value,
                             const Statistic& statistic) const {
    std::vector<double> values;
    for (const PointRow* row : rows_) {
      if (const auto number = value(*row)) values.push_back(*number);
    }
    if (values.empty() || (values.size() < rows_.size() && values.size() < kFewestForDeviation)) {
      return std::nullopt;
    }
    return statistic(values);
  }

  std::string worst_gates() const {
    for (const char* word : {"over", "fail", "hold"}) {
      const auto is = [&](const PointRow* row) { return row->gates == word; };
      if (std::any_of(rows_.begin(), rows_.end(), is)) return word;
    }
    return rows_.front()->gates;
  }

  const std::vector<const PointRow*>& rows_;
};

// "users-5", "users-5 constant@2.5" where a run has several points.
PointRow named(const MatrixRun& run, size_t index) {
  PointRow row = run.rows[index];
  if (run.rows.size() == 1) {
    row.name = run.cell.empty() ? row.name : run.cell;
  } else if (!run.cell.empty()) {
    row.name = run.cell + " " + row.name;
  }
  return row;
}

std::vector<PointRow> all_rows(const std::vector<MatrixRun>& runs) {
  std::vector<PointRow> rows;
  for (const MatrixRun& run : runs) {
    for (size_t i = 0; i < run.rows.size(); ++i) rows.push_back(named(run, i));
  }
  return rows;
}

std::vector<PointRow> spread_rows(const std::vector<MatrixRun>& runs) {
  std::vector<PointRow> rows;
  for (const MatrixRun& first : runs) {
    if (first.round != 1) continue;
    for (size_t i = 0;; ++i) {
      std::vector<PointRow> kept;
      for (const MatrixRun& run : runs) {
        if (run.cell == first.cell && i < run.rows.size()) kept.push_back(named(run, i));
      }
      if (kept.empty()) break;
      std::vector<const PointRow*> rounds;
      for (const PointRow& row : kept) rounds.push_back(&row);
      const Rounds all(rounds);
      rows.push_back(all.combine("mean", mean_of_values));
      rows.push_back(all.combine("min", [](const auto& v) { return *std::min_element(v.begin(), v.end()); }));
      rows.push_back(all.combine("max", [](const auto& v) { return *std::max_element(v.begin(), v.end()); }));
      if (rounds.size() >= kFewestForDeviation) rows.push_back(all.combine("sd", deviation));
    }
  }
  return rows;
}

std::string missing_lines(const std::vector<MatrixRun>& runs) {
  std::string text;
  for (const MatrixRun& run : runs) {
    if (run.done && run.exit_code == 0) continue;
    const std::string name = joined({run.cell, "round " + std::to_string(run.round)});
    text += "  " + name + ": " + (run.done ? "exit code " + std::to_string(run.exit_code) : "not run") + "\n";
  }
  return text.empty() ? "" : "Not all is well:\n" + text;
}

}  // namespace

std::string render_matrix(const MatrixFacts& facts, const std::vector<MatrixRun>& runs, Style style) {
  if (style == Style::json) return matrix_json(facts, runs);
  const std::vector<PointRow> rows = facts.repeat > 1 ? spread_rows(runs) : all_rows(runs);
  if (style == Style::guidellm) return render_guidellm_rows(rows);
  if (style == Style::markdown) return render_markdown_rows(rows, "Run");
  const auto done = std::count_if(runs.begin(), runs.end(), [](const MatrixRun& run) { return run.done; });
  std::string text =
      joined({"Matrix " + facts.name, std::to_string(done) + " of " + std::to_string(runs.size()) + " runs",
              facts.repeat > 1 ? std::to_string(facts.repeat) + " rounds" : "", "ms"}) +
      "\n";
  if (style == Style::quiet) return text + missing_lines(runs);
  return text + render_rows(rows, "Run") + missing_lines(runs);
}

std::string matrix_csv(const std::vector<MatrixRun>& runs) {
  std::vector<std::string> keys{"round", "exit_code"};
  for (const auto& [path, text] : runs.front().values) keys.push_back(path);
  std::vector<std::vector<std::string>> values;
  std::vector<PointRow> rows;
  for (const MatrixRun& run : runs) {
    for (size_t i = 0; i < run.rows.size(); ++i) {
      std::vector<std::string> cells{std::to_string(run.round), std::to_string(run.exit_code)};
      for (const auto& [path, text] : run.values) cells.push_back(text);
      values.push_back(std::move(cells));
      rows.push_back(named(run, i));
    }
  }
  return rows_csv(rows, keys, values);
}

std::string matrix_json(const MatrixFacts& facts, const std::vector<MatrixRun>& runs) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("schema_version", 1).member("name", facts.name).member("command", facts.command);
  json.member("start_utc", facts.start_utc).member("repeat", facts.repeat).key("runs").begin_array();
  for (const MatrixRun& run : runs) {
    json.begin_object().member("cell", run.cell).member("round", run.round).key("values").begin_object();
    for (const auto& [path, value] : run.values) json.member(path, value);
    json.end_object().member("file_sha256", run.file_sha256).member("folder", run.folder);
    json.member("done", run.done);
    if (run.done) json.member("exit_code", run.exit_code);
    json.end_object();
  }
  json.end_array().end_object();
  return broken_into_lines(text, 2);
}

}  // namespace tokometer

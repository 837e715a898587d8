// The style "guidellm": the two blocks that people know from GuideLLM, with our figures. Requests are those
// of the measure window; "Inc" are the cancelled. Latencies count from the send, as there.
#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "metrics/number_text.hpp"
#include "report/point_rows.hpp"
#include "report/styles.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

// A block of columns under group heads, parted by bars.
class Block {
 public:
  void column(const std::string& group, const std::string& head) {
    groups_.push_back(group);
    heads_.push_back(head);
    widths_.push_back(width_of(head));
  }
  void row(std::vector<std::string> cells) {
    for (size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], width_of(cells[i]));
    rows_.push_back(std::move(cells));
  }
  std::string render(std::string_view title) {
    make_room_for_groups();
    const std::string groups = group_line();
    const std::string rule(width_of(groups), '=');
    std::string text = std::string(title) + "\n" + rule + "\n" + groups + "\n" + line(heads_) + "\n";
    text += std::string(rule.size(), '-') + "\n";
    for (const auto& cells : rows_) text += line(cells) + "\n";
    return text + rule + "\n";
  }

 private:
  static constexpr std::string_view kBar = "| ";

  bool begins_group(size_t i) const { return i == 0 || groups_[i] != groups_[i - 1]; }
  size_t group_end(size_t i) const {
    size_t end = i + 1;
    while (end < groups_.size() && !begins_group(end)) ++end;
    return end;
  }
  size_t group_width(size_t i) const {
    size_t width = 0;
    for (size_t k = i; k < group_end(i); ++k) width += widths_[k] + 1;
    return width;
  }
  void make_room_for_groups() {
    for (size_t i = 0; i < groups_.size(); i = group_end(i)) {
      const size_t has = group_width(i), needs = width_of(groups_[i]) + 1;
      if (needs > has) widths_[group_end(i) - 1] += needs - has;
    }
  }
  std::string group_line() const {
    std::string text;
    for (size_t i = 0; i < groups_.size(); i = group_end(i)) {
      if (i > 0) text += kBar;
      text += groups_[i] + std::string(group_width(i) - width_of(groups_[i]), ' ');
    }
    return text;
  }
  std::string line(const std::vector<std::string>& cells) const {
    std::string text;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i > 0 && begins_group(i)) text += kBar;
      const std::string blanks(widths_[i] - width_of(cells[i]), ' ');
      text += (i == 0 ? cells[i] + blanks : blanks + cells[i]) + " ";
    }
    return text;
  }

  std::vector<std::string> groups_, heads_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

std::string value(const std::optional<double>& number, int decimals, double unit = 1) {
  return number ? fixed(*number / unit, decimals) : "n/a";
}

std::string seconds(int64_t ns) {
  return fixed(static_cast<double>(ns) / 1e9, 1);
}

std::string info_block(const std::vector<PointRow>& rows) {
  Block block;
  for (const char* head : {"Benchmark", "Start (s)", "End (s)", "Duration (s)"})
    block.column("Metadata", head);
  for (const char* group :
       {"Requests Made", "Prompt Tok/Req", "Output Tok/Req", "Prompt Tok Total", "Output Tok Total"}) {
    for (const char* head : {"Comp", "Inc", "Err"}) block.column(group, head);
  }
  for (const PointRow& row : rows) {
    std::vector<std::string> cells{escape_terminal(row.name, 64), seconds(row.begin_ns), seconds(row.end_ns),
                                   seconds(row.end_ns - row.begin_ns)};
    const std::array all{&row.ok, &row.cancelled, &row.failed};
    for (const auto* t : all) cells.push_back(std::to_string(t->requests));
    for (const auto* t : all) cells.push_back(value(t->prompt_per_request.value_or(0), 1));
    for (const auto* t : all) cells.push_back(value(t->output_per_request.value_or(0), 1));
    for (const auto* t : all) cells.push_back(std::to_string(t->prompt));
    for (const auto* t : all) cells.push_back(std::to_string(t->output));
    block.row(std::move(cells));
  }
  return block.render("Benchmarks Info:");
}

std::string stats_block(const std::vector<PointRow>& rows) {
  constexpr double kSecond = 1e9, kMillisecond = 1e6;
  Block block;
  block.column("Metadata", "Benchmark");
  block.column("Request Stats", "Per Second");
  block.column("Request Stats", "Concurrency");
  block.column("Out Tok/sec", "mean");
  block.column("Tot Tok/sec", "mean");
  for (const char* group : {"Req Latency (sec)", "TTFT (ms)", "ITL (ms)", "TPOT (ms)"}) {
    for (const char* head : {"mean", "median", "p99"}) block.column(group, head);
  }
  for (const PointRow& row : rows) {
    std::vector<std::string> cells{escape_terminal(row.name, 64), fixed(row.done_per_s, 2),
                                   fixed(row.wire, 2), fixed(row.output_per_s, 1), fixed(row.total_per_s, 1)};
    const auto add = [&](const PointRow::Latency& l, double unit, int decimals) {
      for (const auto& number : {l.mean, l.p50, l.p99}) cells.push_back(value(number, decimals, unit));
    };
    add(row.e2e, kSecond, 2);
    add(row.ttft, kMillisecond, 1);
    add(row.itl, kMillisecond, 1);
    add(row.tpot, kMillisecond, 1);
    block.row(std::move(cells));
  }
  return block.render("Benchmarks Stats:");
}

std::string metadata(const Summary& summary) {
  const Manifest& m = summary.manifest;
  std::string strategies;
  for (const PointRow& row : rows_of(summary, true)) {
    strategies += (strategies.empty() ? "" : ", ") + escape_terminal(row.name, 129);
  }
  const std::string limits =
      m.sweep ? "duration " + format_duration(m.sweep->duration_ns) : std::string("as in the run file");
  std::string tags;
  for (const auto& [name, text] : m.tags) {
    tags += (tags.empty() ? "" : ", ") + escape_terminal(name + "=" + text, 120);
  }
  std::string text = "Benchmarks Metadata:\n    Run id:     " + m.run_id + "\n    Strategies: " + strategies +
                     "\n    Limits:     " + limits +
                     "\n    Target:     " + escape_terminal(m.target.url, 200);
  if (!m.workloads.empty()) {
    text += " (" + of_workloads(m, &Manifest::Workload::processor) + ", " +
            of_workloads(m, &Manifest::Workload::model) +
            ")\n    Data:       " + of_workloads(m, &Manifest::Workload::dataset);
  }
  return text + "\n" + (tags.empty() ? "" : "    Tags:       " + tags + "\n") + "\n";
}

}  // namespace

std::string render_guidellm_rows(const std::vector<PointRow>& rows) {
  return info_block(rows) + "\n" + stats_block(rows);
}

std::string render_guidellm(const Summary& summary, const ConsoleOptions& options) {
  return metadata(summary) + render_guidellm_rows(rows_of(summary, true)) + verdict_lines(summary, options);
}

}  // namespace tokometer

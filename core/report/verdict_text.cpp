// The verdict and its reasons as lines: the same in every style.
#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "metrics/number_text.hpp"
#include "report/styles.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

constexpr size_t kVerdictPlaceColumn = 63;
constexpr size_t kPlaceBytes = 129;  // two names

std::string coloured(Grade grade, const ConsoleOptions& options) {
  const std::string word(to_string(grade));
  if (!options.colour) return word;
  const char* code = grade == Grade::valid ? "32" : grade == Grade::suspect ? "33" : "31";
  return std::string("\x1b[1;") + code + "m" + word + "\x1b[0m";
}

std::string check_text(const Check& check, bool with_place) {
  std::string text = check.id + " " + check.name + " ";
  if (with_place && !check.workload.empty())
    text += "(" + escape_terminal(check.workload + "/" + check.phase, kPlaceBytes) + ") ";
  text += check.measured;
  if (!check.relation.empty()) text += " " + check.relation + " " + check.limit;
  return check.advice.empty() ? text : text + ": " + check.advice;
}

// The worst first, each further one on a line of its own. `where`: what all are about; `with_place`: each
// says that itself.
std::string lines_of(std::vector<const Check*> bad, Grade grade, const std::string& where, bool with_place,
                     const ConsoleOptions& options) {
  std::stable_sort(bad.begin(), bad.end(),
                   [](const Check* a, const Check* b) { return a->grade > b->grade; });
  constexpr std::string_view kIndent = "                 ";  // under the first check
  std::string first = "VERDICT " + std::string(to_string(grade));
  if (!bad.empty()) first += "  " + check_text(*bad.front(), with_place);
  Line line(first);
  if (!where.empty()) line.left(where, kVerdictPlaceColumn);
  std::string text = std::move(line).end();
  text.replace(8, to_string(grade).size(), coloured(grade, options));
  for (size_t i = 1; i < bad.size(); ++i)
    text.append(kIndent).append(check_text(*bad[i], with_place)).append("\n");
  return text;
}

// Of each check of a sweep's points the worst one.
std::vector<const Check*> worst_points(const std::vector<const Check*>& bad) {
  std::vector<const Check*> worst;
  for (const Check* check : bad) {
    const auto same =
        std::find_if(worst.begin(), worst.end(), [&](const Check* w) { return w->id == check->id; });
    if (same == worst.end()) {
      worst.push_back(check);
    } else if (check->grade > (*same)->grade) {
      *same = check;
    }
  }
  return worst;
}

}  // namespace

std::string of_workloads(const Manifest& manifest, std::string Manifest::Workload::*member) {
  constexpr size_t kNameBytes = 120;
  std::vector<std::string> all;
  for (const Manifest::Workload& workload : manifest.workloads) {
    std::string shown = escape_terminal(workload.*member, kNameBytes);
    if (std::find(all.begin(), all.end(), shown) == all.end()) all.push_back(std::move(shown));
  }
  return joined(all, ", ");
}

std::string place_text(const PhaseSummary& phase) {
  return joined({"workload " + phase.workload, "phase " + phase.phase,
                 "window " + seconds_text(static_cast<double>(phase.w1_ns - phase.w0_ns))});
}

std::string verdict_lines(const Summary& summary, const ConsoleOptions& options) {
  std::vector<const Check*> bad;
  for (const Check& check : summary.checks) {
    if (check.grade != Grade::valid && !check.marks_row) bad.push_back(&check);
  }
  if (summary.sweep) bad = worst_points(bad);
  return lines_of(std::move(bad), summary.verdict, {}, summary.manifest.workloads.size() > 1, options);
}

std::string verdict_lines(const Summary& summary, const PhaseSummary& phase, const ConsoleOptions& options) {
  std::vector<const Check*> bad;
  Grade grade = Grade::valid;
  for (const Check& check : summary.checks) {
    const bool whole_run = check.workload.empty() && check.phase.empty();
    if (!whole_run && (check.workload != phase.workload || check.phase != phase.phase)) continue;
    grade = std::max(grade, check.grade);
    if (check.grade != Grade::valid) bad.push_back(&check);
  }
  return lines_of(std::move(bad), grade, place_text(phase), false, options);
}

}  // namespace tokometer

#include "telemetry/metrics_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace tokometer {
namespace {

// One line: `name{label="value",...} number [time]`.
struct Series {
  std::string_view name, labels;
  double value = 0;
};

// Behind the quote that closes a label's value; npos: it is never closed.
size_t end_of_text(std::string_view text, size_t at) {
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

size_t end_of_labels(std::string_view line, size_t at) {
  while (at < line.size() && line[at] != '}') {
    at = line[at] == '"' ? end_of_text(line, at + 1) : at + 1;
  }
  return at;
}

std::optional<Series> read_series(std::string_view line) {
  Series series;
  size_t at = std::min(line.find_first_of("{ "), line.size());
  series.name = line.substr(0, at);
  if (at < line.size() && line[at] == '{') {
    const size_t end = end_of_labels(line, at + 1);
    if (end >= line.size()) return std::nullopt;
    series.labels = line.substr(at + 1, end - at - 1);
    at = end + 1;
  }
  at = line.find_first_not_of(' ', at);
  if (at == std::string_view::npos) return std::nullopt;
  if (line[at] == '+') ++at;  // from_chars knows no plus
  const auto read = std::from_chars(line.data() + at, line.data() + line.size(), series.value);
  return read.ec == std::errc() && !std::isnan(series.value) ? std::optional(series) : std::nullopt;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool is_escape = text[at] == '\\' && at + 1 < text.size();
    if (is_escape) ++at;
    out += is_escape && text[at] == 'n' ? '\n' : text[at];
  }
  return out;
}

bool has_label(std::string_view labels, const std::pair<std::string, std::string>& wanted) {
  while (!labels.empty()) {
    const size_t equals = labels.find("=\"");
    if (equals == std::string_view::npos) return false;
    const size_t end = end_of_text(labels, equals + 2);
    if (end == std::string_view::npos) return false;
    const size_t name = labels.find_first_not_of(" ,");
    if (labels.substr(name, equals - name) == wanted.first)
      return unescaped(labels.substr(equals + 2, end - equals - 3)) == wanted.second;
    labels.remove_prefix(end);
  }
  return false;
}

std::optional<double> folded(std::string_view page, const std::string& metric, const Candidate& candidate) {
  double sum = 0, most = 0;
  size_t count = 0;
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find_first_of("\r\n"));
    page.remove_prefix(std::min(line.size() + 1, page.size()));
    if (!line.starts_with(metric)) continue;
    const auto series = read_series(line);
    if (!series || series->name != metric) continue;
    const auto is_there = [&](const auto& label) { return has_label(series->labels, label); };
    if (!std::all_of(candidate.labels.begin(), candidate.labels.end(), is_there)) continue;
    sum += series->value;
    most = count == 0 ? series->value : std::max(most, series->value);
    ++count;
  }
  if (count == 0) return std::nullopt;
  if (candidate.fold == Fold::max) return most;
  return candidate.fold == Fold::mean ? sum / static_cast<double>(count) : sum;
}

}  // namespace

std::optional<double> read_quantity(std::string_view page, const Quantity& quantity) {
  for (const Candidate& candidate : quantity.candidates) {
    const auto value = folded(page, candidate.metric, candidate);
    if (!value) continue;
    if (candidate.divide_by.empty()) return *value * candidate.scale;
    const auto divisor = folded(page, candidate.divide_by, candidate);
    if (divisor && *divisor != 0) return *value / *divisor * candidate.scale;
  }
  return std::nullopt;
}

}  // namespace tokometer

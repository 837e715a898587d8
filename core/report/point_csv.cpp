// sweep.csv and matrix.csv: RFC 4180, a row a point. Numbers as in summary.json, times in ms.
#include <functional>

#include <tokometer/json.hpp>

#include "report/point_rows.hpp"

namespace tokometer {
namespace {

std::string number(double value) {
  std::string text;
  tkm::JsonWriter(text).value(value);
  return text;
}

std::string number(const std::optional<double>& value) {
  return value ? number(*value) : "";
}

std::string milliseconds(const std::optional<double>& ns) {
  return ns ? number(*ns / 1e6) : "";
}

// Foreign text that a spreadsheet would take for a formula gets a quote in front.
std::string cell(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t\r\n").find(text.front()) != std::string_view::npos) {
    text.insert(0, 1, '\'');
  }
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  for (size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, 1, '"');
  return "\"" + text + "\"";
}

struct Column {
  std::string name;
  std::function<std::string(const PointRow&)> text;
};

void add_latency(std::vector<Column>& columns, const std::string& name,
                 PointRow::Latency PointRow::*latency) {
  columns.push_back({name + "_mean_ms", [=](const PointRow& r) { return milliseconds((r.*latency).mean); }});
  columns.push_back({name + "_p50_ms", [=](const PointRow& r) { return milliseconds((r.*latency).p50); }});
  columns.push_back({name + "_p99_ms", [=](const PointRow& r) { return milliseconds((r.*latency).p99); }});
  columns.push_back({name + "_p99_mark", [=](const PointRow& r) -> std::string {
                       const PointRow::Latency& l = r.*latency;
                       return !l.p99 ? "" : l.p99_is_at_least ? ">=" : l.p99_is_sure ? "" : "*";
                     }});
}

void add_tokens(std::vector<Column>& columns, const std::string& name, PointRow::Tokens PointRow::*tokens) {
  const auto add = [&](const char* what, auto text) {
    columns.push_back({what + ("_" + name), [=](const PointRow& r) { return text(r.*tokens); }});
  };
  using Tokens = PointRow::Tokens;
  add("requests", [](const Tokens& t) { return std::to_string(t.requests); });
  add("prompt_tokens_per_request", [](const Tokens& t) { return number(t.prompt_per_request); });
  add("output_tokens_per_request", [](const Tokens& t) { return number(t.output_per_request); });
  add("prompt_tokens_total", [](const Tokens& t) { return std::to_string(t.prompt); });
  add("output_tokens_total", [](const Tokens& t) { return std::to_string(t.output); });
}

std::vector<Column> columns_of_rows() {
  std::vector<Column> columns{
      {"name", [](const PointRow& r) { return cell(r.name); }},
      {"load", [](const PointRow& r) { return cell(r.load); }},
      {"start_s", [](const PointRow& r) { return number(static_cast<double>(r.begin_ns) / 1e9); }},
      {"end_s", [](const PointRow& r) { return number(static_cast<double>(r.end_ns) / 1e9); }},
      {"duration_s",
       [](const PointRow& r) { return number(static_cast<double>(r.end_ns - r.begin_ns) / 1e9); }},
      {"offered_per_s", [](const PointRow& r) { return number(r.offered); }},
      {"done_per_s", [](const PointRow& r) { return number(r.done_per_s); }},
      {"wire", [](const PointRow& r) { return number(r.wire); }}};
  add_tokens(columns, "comp", &PointRow::ok);
  add_tokens(columns, "inc", &PointRow::cancelled);
  add_tokens(columns, "err", &PointRow::failed);
  columns.push_back({"output_tokens_per_s", [](const PointRow& r) { return number(r.output_per_s); }});
  columns.push_back({"total_tokens_per_s", [](const PointRow& r) { return number(r.total_per_s); }});
  add_latency(columns, "ttft", &PointRow::ttft);
  add_latency(columns, "itl", &PointRow::itl);
  add_latency(columns, "tpot", &PointRow::tpot);
  add_latency(columns, "e2e", &PointRow::e2e);
  columns.push_back({"goodput_ratio", [](const PointRow& r) { return number(r.good); }});
  columns.push_back({"gates", [](const PointRow& r) { return r.gates == "-" ? "" : r.gates; }});
  columns.push_back({"verdict", [](const PointRow& r) { return r.verdict; }});
  return columns;
}

std::string line_of(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& text : cells) line += (line.empty() ? "" : ",") + text;
  return line + "\r\n";
}

}  // namespace

std::string rows_csv(const std::vector<PointRow>& rows, const std::vector<std::string>& keys,
                     const std::vector<std::vector<std::string>>& values) {
  const std::vector<Column> columns = columns_of_rows();
  std::vector<std::string> cells;
  for (const std::string& key : keys) cells.push_back(cell(key));
  for (const Column& column : columns) cells.push_back(column.name);
  std::string text = line_of(cells);
  for (size_t i = 0; i < rows.size(); ++i) {
    cells.clear();
    for (size_t k = 0; k < keys.size(); ++k) cells.push_back(cell(values[i][k]));
    for (const Column& column : columns) cells.push_back(column.text(rows[i]));
    text += line_of(cells);
  }
  return text;
}

}  // namespace tokometer

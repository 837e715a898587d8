#include <tokometer/json.hpp>

#include <array>

#include "base/text.hpp"
#include "check/check.hpp"

namespace tokometer::check {
namespace {

constexpr std::array kOutcomes{Outcome::pass, Outcome::fail, Outcome::crashed, Outcome::warn, Outcome::skip};
constexpr size_t kIdColumn = 9;

std::string line_of(const TestResult& result) {
  std::string line(to_string(result.finding.outcome));
  line.resize(kIdColumn, ' ');
  line += result.id + ": " + result.sentence + "\n";
  const std::string indent(kIdColumn, ' ');
  const bool is_passed = result.finding.outcome == Outcome::pass;
  if (!is_passed) line += indent + escape_terminal(result.finding.sentence, 2000) + "\n";
  if (is_bad(result.finding)) line += indent + "repeat: " + result.repeat + "\n";
  return line;
}

}  // namespace

std::string render_check_text(const CheckReport& report) {
  std::string text = report.module + " " + report.version + ", " + report.path + "\n\n";
  for (const TestResult& result : report.results) text += line_of(result);
  text += "\n" + std::to_string(report.results.size()) + " tests:";
  for (const Outcome outcome : kOutcomes) {
    text += " " + std::to_string(report.count(outcome)) + " " + std::string(to_string(outcome)) +
            (outcome == kOutcomes.back() ? "\n" : ",");
  }
  return text;
}

std::string render_check_json(const CheckReport& report) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("check", 1).member("module", report.module).member("version", report.version);
  json.member("path", report.path).member("passed", report.passed());
  json.key("counts").begin_object();
  for (const Outcome outcome : kOutcomes) json.member(to_string(outcome), report.count(outcome));
  json.end_object().key("tests").begin_array();
  for (const TestResult& result : report.results) {
    json.begin_object().member("id", result.id).member("sentence", result.sentence);
    json.member("outcome", to_string(result.finding.outcome))
        .member("detail", escape_terminal(result.finding.sentence, 4096));
    json.member("repeat", result.repeat).end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace tokometer::check

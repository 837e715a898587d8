// The data format of bad_run_files.txt: cases beside the messages expected.
//
//   === title                     "(as it is)": needed keys are not added; "(escaped)": \xNN and \t stand for
//   bytes $ --set load.options.rate=x   options and environment: `$ NAME=value` version: 1
//   ...
//   ---
//   run.yaml:1:1: ...             one message a line
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "example_schemas.hpp"

namespace tokometer::testing {

struct GoldenCase {
  std::string title;
  Input input;
  std::string expected;
};

inline std::string unescaped(const std::string& text) {
  std::string result;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "\\t") == 0) {
      result += '\t', ++at;
    } else if (text.compare(at, 2, "\\x") == 0) {
      result += static_cast<char>(std::stoi(text.substr(at + 2, 2), nullptr, 16)), at += 3;
    } else {
      result += text[at];
    }
  }
  return result;
}

inline void add_directive(const std::string& line, Input& input) {
  const std::string rest = line.substr(2);
  if (rest.starts_with("--set ")) {
    input.sets.push_back({SetOption::Kind::yaml, rest.substr(6)});
  } else if (rest.starts_with("--set-string ")) {
    input.sets.push_back({SetOption::Kind::text, rest.substr(13)});
  } else if (rest.starts_with("--set-file ")) {
    input.sets.push_back({SetOption::Kind::file, rest.substr(11)});
  } else {
    const size_t equals = rest.find('=');
    input.environment[rest.substr(0, equals)] = rest.substr(equals + 1);
  }
}

inline std::vector<GoldenCase> parse_cases(std::istream& stream) {
  std::vector<GoldenCase> cases;
  std::string line, text;
  bool in_expected = false;
  const auto finish = [&] {
    if (cases.empty()) return;
    const std::string& title = cases.back().title;
    if (title.ends_with("(escaped)")) text = unescaped(text);
    const bool as_it_is = title.ends_with("(as it is)") || title.ends_with("(escaped)");
    cases.back().input.files = {{"run.yaml", as_it_is ? text : completed(text)}};
    text.clear();
  };
  while (std::getline(stream, line)) {
    if (line.starts_with("=== ")) {
      finish();
      cases.push_back({line.substr(4), {}, {}});
      in_expected = false;
    } else if (line == "---") {
      in_expected = true;
    } else if (in_expected) {
      if (!line.empty()) cases.back().expected += line + "\n";
    } else if (line.starts_with("$ ")) {
      add_directive(line, cases.back().input);
    } else {
      text += line + "\n";
    }
  }
  finish();
  return cases;
}

}  // namespace tokometer::testing

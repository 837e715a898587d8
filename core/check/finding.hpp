// How one conformance test ended, and in one sentence why. Returned by the test functions; child.hpp carries
// it from the child process to the report.
#pragma once

#include <string>
#include <string_view>

namespace tokometer::check {

enum class Outcome { pass, warn, skip, fail, crashed };

// "pass", "warn", ...
std::string_view to_string(Outcome outcome);

struct Finding {
  Outcome outcome = Outcome::pass;
  std::string sentence = {};  // foreign text in it is escaped; empty: nothing to add
};

Finding pass(std::string sentence = {});
Finding warn(std::string sentence);
Finding skip(std::string sentence);
Finding fail(std::string sentence);

inline bool is_bad(const Finding& finding) {
  return finding.outcome == Outcome::fail || finding.outcome == Outcome::crashed;
}

// Foreign text as it stands in a sentence: "in \"quotes\"", escaped and cut.
std::string in_quotes(std::string_view text);

}  // namespace tokometer::check

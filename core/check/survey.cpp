#include "check/survey.hpp"

#include <algorithm>
#include <string_view>

#include "check/child.hpp"

namespace tokometer::check {
namespace {

// A line for each component, or for each error of the loader (skip: an error is no failure of the child).
Finding load(const std::string& path, Trust trust) {
  const auto components = load_library(path, trust);
  std::string lines;
  if (!components) {
    for (const Error& error : components.errors()) lines += to_string(error) + "\n";
    return skip(lines);
  }
  for (const Component& it : **components) {
    lines += std::to_string(it.kind()) + " " + std::string(it.name()) + "\n";
  }
  return pass(lines);
}

}  // namespace

Survey survey(const std::string& path, Trust trust, int64_t time_limit_ns) {
  Survey survey;
  const Finding found = run_in_child([&] { return load(path, trust); }, time_limit_ns);
  if (is_bad(found)) return survey.crash = found, survey;
  for (std::string_view rest = found.sentence; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (found.outcome == Outcome::skip) {
      survey.errors.push_back({std::string(line)});
    } else {
      survey.components.push_back({line.front() - '0', std::string(line.substr(2))});
    }
  }
  return survey;
}

}  // namespace tokometer::check

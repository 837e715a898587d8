#include "check/finding.hpp"

#include <utility>

#include "base/text.hpp"

namespace tokometer::check {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::warn:
      return "warn";
    case Outcome::skip:
      return "skip";
    case Outcome::fail:
      return "fail";
    case Outcome::crashed:
      return "crashed";
  }
  return "fail";
}

Finding pass(std::string sentence) {
  return {Outcome::pass, std::move(sentence)};
}
Finding warn(std::string sentence) {
  return {Outcome::warn, std::move(sentence)};
}
Finding skip(std::string sentence) {
  return {Outcome::skip, std::move(sentence)};
}
Finding fail(std::string sentence) {
  return {Outcome::fail, std::move(sentence)};
}

std::string in_quotes(std::string_view text) {
  return "\"" + escape_terminal(text, 160) + "\"";
}

}  // namespace tokometer::check

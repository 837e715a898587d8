#include "report/json_lines.hpp"

namespace tokometer {
namespace {

// Where the string that begins at `at` ends (its closing quote).
size_t end_of_string(std::string_view json, size_t at) {
  for (++at; json[at] != '"'; ++at) at += json[at] == '\\';
  return at;
}

// Does the object or array that opens at `at` hold no other one?
bool is_leaf(std::string_view json, size_t at) {
  for (++at;; ++at) {
    const char c = json[at];
    if (c == '"') at = end_of_string(json, at);
    if (c == '{' || c == '[') return false;
    if (c == '}' || c == ']') return true;
  }
}

}  // namespace

std::string broken_into_lines(std::string_view json, int depth) {
  std::string out;
  out.reserve(json.size() + json.size() / 4);
  int level = 0, whole = 0;  // whole: levels inside a value that stays on one line
  const auto new_line = [&] { out.append("\n").append(static_cast<size_t>(level), ' '); };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    const bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
    if (c == '"') {
      const size_t end = end_of_string(json, i);
      out.append(json.substr(i, end + 1 - i));
      i = end;
      continue;
    }
    const bool inside = whole > 0;  // of a value on one line
    if (opens && (inside || level == depth || is_leaf(json, i))) {
      ++whole;
    } else if (opens) {
      ++level;
    } else if (closes && inside) {
      --whole;
    } else if (closes) {
      --level;
      new_line();
    }
    out.push_back(c);
    if (whole > 0 || inside) continue;
    if (opens || c == ',') new_line();
    if (c == ':') out.push_back(' ');
  }
  out.push_back('\n');
  return out;
}

}  // namespace tokometer

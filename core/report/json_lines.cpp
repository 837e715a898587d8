#include "report/json_lines.hpp"

namespace tokometer {

std::string broken_into_lines(std::string_view json, int depth) {
  std::string out;
  out.reserve(json.size() + json.size() / 4);
  int level = 0;
  bool in_string = false;
  const auto new_line = [&] { out.append("\n").append(static_cast<size_t>(level), ' '); };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out.push_back(c);
      if (c == '\\') out.push_back(json[++i]);
      if (c == '"') in_string = false;
      continue;
    }
    in_string = c == '"';
    const bool closes = c == '}' || c == ']', empty = closes && (out.back() == '{' || out.back() == '[');
    if (closes && level-- <= depth && !empty) new_line();
    out.push_back(c);
    if (c == ':' && level <= depth) out.push_back(' ');
    if (c == ',' && level <= depth) new_line();
    if ((c == '{' || c == '[') && ++level <= depth && json[i + 1] != '}' && json[i + 1] != ']') new_line();
  }
  out.push_back('\n');
  return out;
}

}  // namespace tokometer

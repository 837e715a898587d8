#include "base/error.hpp"

#include <tuple>

namespace tokometer {

std::string to_string(const Error& error) {
  std::string text;
  if (!error.file.empty()) {
    text += error.file;
    if (error.line > 0) text += ":" + std::to_string(error.line);
    if (error.line > 0 && error.column > 0) text += ":" + std::to_string(error.column);
    text += ": ";
  }
  return text + error.message;
}

bool operator<(const Error& a, const Error& b) {
  return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
}

}  // namespace tokometer

#include "metrics/number_text.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace tokometer {

std::string fixed(double value, int decimals) {
  std::array<char, 400> text;  // the longest double has 309 digits before the point
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, decimals).ptr;
  std::string result(text.data(), end);
  if (result.front() == '-' && result.find_first_not_of("-0.") == std::string::npos)
    result.erase(0, 1);  // no "-0.0"
  return result;
}

std::string percent_text(double ratio) {
  const double percent = ratio * 100, size = std::abs(percent);
  if (size != 0 && size < 0.01) return "< 0.01 %";
  std::string text = fixed(percent, size >= 99.95 ? 0 : size >= 10 ? 1 : 2);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text + " %";
}

std::string milliseconds_text(double ns) {
  const double ms = ns / 1e6, size = std::abs(ms);
  return fixed(ms, size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.01 || size == 0 ? 2 : 3) + " ms";
}

std::string seconds_text(double ns) {
  return fixed(ns / 1e9, 1) + " s";
}

}  // namespace tokometer

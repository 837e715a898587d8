// Lines whose columns end at fixed places, counted in characters and not in bytes. Private to core/report.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tokometer {

// Characters as a terminal shows them: UTF-8 continuation bytes do not count.
inline size_t width_of(std::string_view text) {
  size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  return width;
}

inline constexpr std::string_view kDot = " · ";

// The parts that are not empty, with `between` between them.
inline std::string joined(const std::vector<std::string>& parts, std::string_view between = kDot) {
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text.append(between);
    text.append(part);
  }
  return text;
}

class Line {
 public:
  explicit Line(std::string_view start = {}) : text_(start), width_(width_of(start)) {}

  // Appends `text` so that it ends at column `end`, with a blank in front at least.
  Line& right(std::string_view text, size_t end) {
    const size_t width = width_of(text);
    pad_to(end > width ? end - width : 0, width_ == 0 ? 0 : 1);
    return add(text);
  }
  // Appends `text` from column `begin` on, with two blanks in front at least.
  Line& left(std::string_view text, size_t begin) {
    pad_to(begin, width_ == 0 ? 0 : 2);
    return add(text);
  }
  Line& add(std::string_view text) {
    text_.append(text);
    width_ += width_of(text);
    return *this;
  }
  std::string end() && { return std::move(text_.append("\n")); }

 private:
  void pad_to(size_t column, size_t least) {
    const size_t blanks = column > width_ + least ? column - width_ : least;
    text_.append(blanks, ' ');
    width_ += blanks;
  }
  std::string text_;
  size_t width_;
};

}  // namespace tokometer

// Gathers the lines between the data of chunks, "CRLF size[;extension] CRLF", from bytes that come in pieces
// (RFC 9112, 7.1). Stricter than Beast, which lets pass what a judge may not. For http1.cpp.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tokometer {

// Keeps no bytes: those of a line that is cut lie in a buffer of the caller's, who may use it otherwise
// between two lines.
class ChunkLine {
 public:
  enum class Found { more, line, no_crlf, too_long, malformed };

  // Views into the bytes or the buffer.
  struct Line {
    std::string_view text;       // with the CRLF before it
    std::string_view digits;     // of the size
    std::string_view extension;  // from the blanks before its ';' on; empty: none

    uint64_t chunk_bytes() const noexcept {
      uint64_t bytes = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), bytes, 16);
      return bytes;
    }
    bool is_last() const noexcept { return digits.find_first_not_of('0') == std::string_view::npos; }
  };

  // after_data: the line follows the data of a chunk, whose CRLF comes first.
  void begin(bool after_data, std::string& buffer) noexcept {
    ahead_ = after_data ? kCrlf.size() : 0;
    buffer.clear();
  }

  // size: how many of the bytes were taken.
  Found scan(std::string_view bytes, size_t limit_bytes, std::string& buffer, Line& line,
             size_t& size) const {
    for (size = 0; buffer.size() + size < ahead_ && size < bytes.size(); ++size) {
      if (bytes[size] != kCrlf[buffer.size() + size]) return Found::no_crlf;
    }
    const size_t feed = bytes.find('\n', size);
    size = feed == std::string_view::npos ? bytes.size() : feed + 1;
    if (buffer.size() + size > ahead_ + limit_bytes) return Found::too_long;
    line.text = bytes.substr(0, size);
    if (feed == std::string_view::npos || !buffer.empty()) line.text = buffer.append(line.text);
    if (feed == std::string_view::npos) return Found::more;
    return read(line) ? Found::line : Found::malformed;
  }

  // At an EOF: no more than the beginning of the last chunk was seen.
  static bool is_last_so_far(const std::string& buffer) noexcept {
    return buffer.find_first_not_of("\r\n0") == std::string::npos;
  }

 private:
  static constexpr std::string_view kCrlf = "\r\n";

  static bool is_hex(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  }

  // 1 to 16 digits, then CRLF or what may be an extension.
  bool read(Line& line) const noexcept {
    const std::string_view text = line.text.substr(ahead_);
    const auto end = std::find_if_not(text.begin(), text.end(), is_hex);
    line.digits = text.substr(0, static_cast<size_t>(end - text.begin()));
    const std::string_view rest = text.substr(line.digits.size());
    if (line.digits.empty() || line.digits.size() > 16 || !rest.ends_with(kCrlf)) return false;
    line.extension = rest.substr(0, rest.size() - kCrlf.size());
    return line.extension.empty() || rest[rest.find_first_not_of(" \t")] == ';';
  }

  uint32_t ahead_ = 0;  // bytes of a CRLF in front of the line
};

}  // namespace tokometer

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

class ChunkLine {
 public:
  enum class Found { more, line, no_crlf, too_long, malformed };

  // after_data: the line follows the data of a chunk, whose CRLF comes first.
  void begin(bool after_data) noexcept {
    ahead_ = after_data ? kCrlf.size() : 0;
    carry_.clear();
  }

  // size: how many of the bytes were taken. The line is in text() until the next begin(); it may be a view
  // into bytes.
  Found scan(std::string_view bytes, size_t limit_bytes, size_t& size) {
    for (size = 0; carry_.size() + size < ahead_ && size < bytes.size(); ++size) {
      if (bytes[size] != kCrlf[carry_.size() + size]) return Found::no_crlf;
    }
    const size_t feed = bytes.find('\n', size);
    size = feed == std::string_view::npos ? bytes.size() : feed + 1;
    if (carry_.size() + size > ahead_ + limit_bytes) return Found::too_long;
    text_ = bytes.substr(0, size);
    if (feed == std::string_view::npos || !carry_.empty()) text_ = carry_.append(text_);
    if (feed == std::string_view::npos) return Found::more;
    return check() ? Found::line : Found::malformed;
  }

  std::string_view text() const noexcept { return text_; }  // with the CRLF before it
  std::string_view line() const noexcept { return text_.substr(ahead_); }
  uint64_t chunk_bytes() const noexcept {
    uint64_t bytes = 0;
    std::from_chars(digits_.data(), digits_.data() + digits_.size(), bytes, 16);
    return bytes;
  }
  // From the blanks before its ';' on; empty: none.
  std::string_view extension() const noexcept {
    return line().substr(digits_.size(), line().size() - digits_.size() - kCrlf.size());
  }
  bool is_last() const noexcept { return digits_.find_first_not_of('0') == std::string_view::npos; }

  // At an EOF: no more than the beginning of the last chunk was seen.
  bool is_last_so_far() const noexcept { return carry_.find_first_not_of("\r\n0") == std::string::npos; }

 private:
  static constexpr std::string_view kCrlf = "\r\n";

  static bool is_hex(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  }

  // 1 to 16 digits, then CRLF or what may be an extension.
  bool check() noexcept {
    const auto end = std::find_if_not(line().begin(), line().end(), is_hex);
    digits_ = line().substr(0, static_cast<size_t>(end - line().begin()));
    const std::string_view rest = line().substr(digits_.size());
    if (digits_.empty() || digits_.size() > 16 || !rest.ends_with(kCrlf)) return false;
    return rest == kCrlf || rest[rest.find_first_not_of(" \t")] == ';';
  }

  std::string carry_;  // of a line that is cut: its first bytes
  std::string_view text_;
  std::string_view digits_;
  size_t ahead_ = 0;
};

}  // namespace tokometer

// Finds the end of a block of CRLF lines that an empty line closes (a response head, trailers) in bytes that
// come in pieces. Linear, and keeps none of the bytes. For http1.cpp.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace tokometer {

class LineBlock {
 public:
  enum class Found { more, end, bare_line_feed, too_long };

  explicit LineBlock(size_t limit_bytes = 0) noexcept : limit_bytes_(limit_bytes) {}

  // size: how many of the bytes belong to the block.
  Found scan(std::string_view bytes, size_t& size) noexcept {
    for (size = 0; size < bytes.size();) {
      const size_t line_end = find_line_end(bytes, size);
      const bool whole = line_end > size && bytes[line_end - 1] == '\n';
      line_bytes_ += line_end - size;
      block_bytes_ += line_end - size;
      size = line_end;
      if (block_bytes_ > limit_bytes_) return Found::too_long;
      if (!whole) break;
      const char before = line_end >= 2 ? bytes[line_end - 2] : last_;
      if (line_bytes_ < 2 || before != '\r') return Found::bare_line_feed;
      if (line_bytes_ == 2) return Found::end;
      line_bytes_ = 0;
    }
    if (!bytes.empty()) last_ = bytes.back();
    return Found::more;
  }

  size_t bytes() const noexcept { return block_bytes_; }  // of the block so far

 private:
  static size_t find_line_end(std::string_view bytes, size_t from) noexcept {
    const void* at = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
    return at == nullptr ? bytes.size()
                         : static_cast<size_t>(static_cast<const char*>(at) - bytes.data()) + 1;
  }

  size_t limit_bytes_;
  size_t block_bytes_ = 0;
  size_t line_bytes_ = 0;  // of the current line
  char last_ = 0;          // of the piece before
};

}  // namespace tokometer

// A regular file, read once from front to back in blocks; never mapped, never held whole. One that begins as
// gzip or zstd does is decoded on the way: all offsets are of the text in it. Used by the readers, on the
// thread that calls them. Errors are thrown: TKM_E_CONFIG where the file cannot be opened or holds nothing,
// TKM_E_INTERNAL where it cannot be read on, is damaged, or is changed while it is being read (the data would
// be neither the old nor the new).
#pragma once

#include <tokometer/plugin.hpp>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decoder.hpp"

namespace standard {

// 91204 -> "91,204", for record numbers and offsets in sentences.
std::string with_commas(uint64_t number);

class InputFile {
 public:
  // Refuses what is missing, no regular file, empty, or nothing but blanks. A UTF-8 byte order mark is
  // skipped.
  explicit InputFile(std::string path);

  const std::string& path() const { return path_; }
  // The next bytes, read in if need be; valid until the next call of ahead(). Empty only at the end of the
  // file.
  std::string_view ahead();
  // Takes `count` bytes of ahead().
  void consume(size_t count) { begin_ += count; }
  // Of the next byte, from the start of the text.
  uint64_t offset() const { return block_offset_ + begin_; }
  // The first byte that is no blank.
  char first_visible() const { return first_visible_; }

 private:
  // Closes itself.
  struct Descriptor {
    int number = -1;
    Descriptor() = default;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
  };

  void open();
  void find_first_visible();
  void rewind();
  void fill();
  size_t decode_into_block();               // 0 at the end
  size_t read_into(std::vector<char>& to);  // 0 at the end
  void check_unchanged() const;
  // TKM_E_CONFIG while the file is being opened, TKM_E_INTERNAL later.
  tkm::Error unreadable(std::string text) const;
  std::string reason(std::string_view what) const;  // with errno's text

  std::string path_;
  Descriptor descriptor_;
  uint64_t size_ = 0;
  timespec modified_{};
  std::vector<char> block_;
  size_t begin_ = 0, end_ = 0;        // of what is left in the block
  uint64_t block_offset_ = 0;         // of the block in the text
  char first_visible_ = 0;            // 0: still being opened
  std::unique_ptr<Decoder> decoder_;  // null: not compressed
  std::vector<char> packed_;          // a block of the compressed file
  std::string_view undecoded_;        // what is left of it
  uint64_t packed_offset_ = 0;        // of its end in the file
};

}  // namespace standard

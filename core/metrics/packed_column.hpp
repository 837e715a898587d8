// A growing column of 64-bit numbers in as few bytes as they need: pages of 1,024 rows, each stored as the
// distance from its smallest value in 0 to 8 bytes a row. Exact. It lets the reducer keep every per-request
// value of a run within 64 bytes a request. kAbsent is a value like any other to the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tokometer {

class PackedColumn {
 public:
  void push(int64_t value);
  int64_t operator[](size_t row) const;
  size_t size() const { return pages_.size() * kRows + open_.size(); }
  size_t memory_bytes() const;

 private:
  static constexpr size_t kRows = 1024;
  struct Page {
    int64_t base = 0;
    uint8_t width = 0;        // bytes a row; 8: the value itself
    bool has_absent = false;  // all ones mean kAbsent
    std::unique_ptr<uint8_t[]> bytes;
  };
  static Page pack(const std::vector<int64_t>& values);

  std::vector<Page> pages_;
  std::vector<int64_t> open_;  // the page being filled
};

}  // namespace tokometer

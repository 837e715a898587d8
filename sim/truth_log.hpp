// What was really sent, and when: truth.bin has a row for each token event, truth.jsonl a line for each
// request. Rows go into a shared mapping, so they survive the death of this process at any instant and cost
// no system call. A file that was not closed ends in rows of zeros: readers stop at the first. Single thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "base/file.hpp"

namespace tokometer::sim {

// As it stands in truth.bin, in the machine's byte order.
struct TruthRow {
  uint64_t due_ns, sent_ns;  // CLOCK_MONOTONIC; sent: just before the send() of its first byte
  uint32_t stream;           // number of the request, from 0
  uint32_t seq;              // number of the token event in its stream, from 0
  uint32_t bytes;            // of the event with its HTTP chunk framing
  uint32_t tokens;
};
static_assert(sizeof(TruthRow) == 32);

class TruthLog {
 public:
  // Makes the folder where it is missing, and both files, which must not exist yet.
  static Result<std::unique_ptr<TruthLog>> create(const std::filesystem::path& folder);
  ~TruthLog();  // cuts truth.bin to its rows
  TruthLog(const TruthLog&) = delete;
  TruthLog& operator=(const TruthLog&) = delete;

  // False, once and for good: the disk is full. The caller ends the program: half a truth is none.
  bool add(const TruthRow& row) noexcept {
    if (next_ == end_ && !next_window()) return false;
    *next_++ = row;
    ++rows_;
    return true;
  }
  // `line`: a JSON object without its '\n'.
  bool add_request(std::string_view line);

 private:
  TruthLog(Descriptor rows, AppendFile requests) : file_(std::move(rows)), requests_(std::move(requests)) {}
  bool next_window() noexcept;
  void unmap() noexcept;

  Descriptor file_;
  AppendFile requests_;
  TruthRow *window_ = nullptr, *next_ = nullptr, *end_ = nullptr;
  uint64_t rows_ = 0;
};

}  // namespace tokometer::sim

// CSV as RFC 4180 writes it: commas, the first line names the columns, quotes around fields that hold commas,
// quotes (doubled) or line ends; LF is as good as CRLF. A row becomes an object of texts, by column name, so
// what reads JSON records reads these, too. Streamed: memory is one row.
//
// A bad row is thrown as tkm::Error (TKM_E_INPUT) with its line; the next call goes on at the line behind it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "input_file.hpp"
#include "readers.hpp"

namespace standard {

class CsvRecords : public Records {
 public:
  // Reads the header. Throws TKM_E_CONFIG where it is bad or lacks one of `needed`.
  explicit CsvRecords(std::string path, const std::vector<std::string>& needed = {});

  bool next() override;
  tkm::Error fault(std::string_view what) const override;
  bool all_texts() const override { return true; }
  const std::vector<std::string>& columns() const { return columns_; }

 private:
  // Takes the bytes of one row, one after the other.
  class Row {
   public:
    enum class Next { more, ended, quote_inside, text_behind_quote };

    explicit Row(std::vector<std::string>& fields) : fields_(fields) { fields_.assign(1, {}); }
    Next take(char byte);
    void finish();
    bool in_quotes() const { return state_ == State::quoted; }
    bool too_large() const { return bytes_ > kMaxRecordBytes; }
    bool empty() const;  // a line with nothing on it

   private:
    enum class State { begin, plain, quoted, behind_quote };
    Next between(char byte, Next otherwise);
    void put(char byte);

    std::vector<std::string>& fields_;
    State state_ = State::begin;
    size_t bytes_ = 0;
  };

  bool read_row();  // into fields_; false: no more
  Row::Next scan(Row& row);
  [[noreturn]] void refuse_quote(Row::Next why);
  void skip_line();

  InputFile file_;
  std::vector<std::string> columns_;
  std::vector<std::string> fields_;
  uint64_t line_ = 1;      // of the next byte
  uint64_t row_line_ = 1;  // where the row begins
};

}  // namespace standard

// Files as streams of records, for the datasets: lines of text, lines of JSON, the elements of one JSON
// array. Memory is one record (64 MiB at most) and one block of the file, whatever its size.
//
// A bad record is thrown as tkm::Error (TKM_E_INPUT) that says where; the next call goes on behind it. The
// end is sticky.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "input_file.hpp"

namespace standard {

inline constexpr size_t kMaxRecordBytes = 64 * 1024 * 1024;
inline constexpr std::string_view kBlank = " \t\r\n";

// The bytes of one record after the other.
class RecordReader {
 public:
  enum class Form { lines, lines_or_array };  // the second: an array if the file's first visible byte is '['

  // `key`: see JsonRecords; empty: none.
  RecordReader(std::string path, Form form, std::string_view key = {});

  // The next record, valid UTF-8, without its line end; valid until the next call. Lines of blanks are
  // skipped. False: no more.
  bool next(std::string_view& record);

  // About the record that next() gave last: "data.jsonl:1047: what" or "data.json: record 3: what".
  tkm::Error fault(std::string_view what) const;
  // The same with the place of a byte of it: "(column 18)" or "(byte 12,345)", from 1.
  tkm::Error fault_at(size_t byte_of_record, std::string_view what) const;

 private:
  enum class State { begin, first, behind_value, behind_comma, ended };

  bool next_line();
  bool next_element();
  bool read_line();     // false: nothing is left
  void read_element();  // up to its end; throws where the file ends inside
  bool end_of_array();
  void check_wrapper();
  void append(std::string_view bytes);
  char skip_blanks();  // the next visible byte, not taken; 0 at the end of the file
  void check() const;  // size and UTF-8
  tkm::Error cut_off(std::string_view where);

  InputFile file_;
  bool array_;
  bool wrapped_ = false;  // the array is a member of the file's one object
  State state_ = State::begin;
  std::string buffer_;
  std::string_view record_;  // in buffer_
  uint64_t number_ = 0;      // of the line or the element, from 1
  uint64_t start_ = 0;       // offset of the record's first byte
  bool too_large_ = false;
};

// Parsed records, whatever the form of the file: JSON values here, rows of CSV as objects of texts in
// csv.hpp.
class Records {
 public:
  virtual ~Records() = default;

  // False: no more. A record that cannot be parsed is thrown as a bad one.
  virtual bool next() = 0;
  // About the record that next() read last, with its place in front.
  virtual tkm::Error fault(std::string_view what) const = 0;

  // Are all values texts, numbers too?
  virtual bool all_texts() const { return false; }

  // What next() read; valid until it is called again.
  const tkm::Json& value() const { return document_; }
  // The same, which must be an object.
  const tkm::Json& object() const;
  // `"prompt" is missing; found: id, items`, with `where` in front.
  tkm::Error missing(const tkm::Json& object, std::string_view name, std::string_view where = {}) const;

 protected:
  tkm::JsonDocument document_;
};

class JsonRecords : public Records {
 public:
  // `key`: the file may also be one object whose member of that name is the array of records.
  explicit JsonRecords(std::string path, std::string_view key = {})
      : reader_(std::move(path), RecordReader::Form::lines_or_array, key) {}

  bool next() override;
  tkm::Error fault(std::string_view what) const override { return reader_.fault(what); }
  // Some files hold JSON inside a string: what is in there, or `value` itself if it is no string. Valid until
  // the next call of next() or unwrap().
  const tkm::Json& unwrap(const tkm::Json& value);

 private:
  RecordReader reader_;
  tkm::JsonDocument inside_;
};

// The member `name` of `object`, which must be there and be text.
std::string_view text_member(const tkm::Json& object, std::string_view name, const Records& records,
                             std::string_view where = {});
// A number of tokens: a whole number from `lowest`.
int64_t token_count(const tkm::Json& value, std::string_view name, const Records& records,
                    int64_t lowest = 1);

// A JSON value in a sentence: `3`, `"text that is cut..."`, `null`, `an object`, `a list`.
std::string shown(const tkm::Json& value);
// Foreign text for a sentence: cut, and without control characters.
std::string excerpt(std::string_view text);
// Nothing but blanks.
bool is_blank(std::string_view text);

}  // namespace standard

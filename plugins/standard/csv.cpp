#include "csv.hpp"

#include <algorithm>
#include <utility>

namespace standard {
namespace {

constexpr size_t kMostFields = 16'384;

}  // namespace

CsvRecords::Row::Next CsvRecords::Row::take(char byte) {
  ++bytes_;
  switch (state_) {
    case State::quoted:
      if (byte != '"') return put(byte), Next::more;
      return state_ = State::behind_quote, Next::more;
    case State::behind_quote:
      if (byte != '"') return between(byte, Next::text_behind_quote);
      return state_ = State::quoted, put(byte), Next::more;
    case State::begin:
      if (byte == '"') return state_ = State::quoted, Next::more;
      [[fallthrough]];
    case State::plain:
      if (byte == '"') return Next::quote_inside;
      state_ = State::plain;
      return between(byte, Next::more);
  }
  return Next::more;
}

// A separator, or a byte of a field without quotes.
CsvRecords::Row::Next CsvRecords::Row::between(char byte, Next otherwise) {
  if (byte == '\n') return Next::ended;
  if (byte == ',') {
    if (fields_.size() < kMostFields) fields_.emplace_back();
    state_ = State::begin;
  } else if (state_ == State::plain) {
    put(byte);
  } else if (byte != '\r') {  // behind a closing quote: the first half of CRLF
    return otherwise;
  }
  return Next::more;
}

void CsvRecords::Row::put(char byte) {
  if (!too_large()) fields_.back().push_back(byte);
}

void CsvRecords::Row::finish() {
  std::string& last = fields_.back();
  if (state_ == State::plain && !last.empty() && last.back() == '\r') last.pop_back();
}

bool CsvRecords::Row::empty() const {
  return state_ != State::behind_quote && fields_.size() == 1 && is_blank(fields_[0]);
}

CsvRecords::CsvRecords(std::string path, const std::vector<std::string>& needed) : file_(std::move(path)) {
  try {
    read_row();
  } catch (const tkm::Error& error) {
    throw tkm::config_error(std::string(error.text()));
  }
  columns_ = fields_;
  const auto refuse = [&](const std::string& what) {
    throw tkm::config_error(std::string(fault(what).text()));
  };
  for (size_t index = 0; index < columns_.size(); ++index) {
    if (is_blank(columns_[index])) refuse("column " + std::to_string(index + 1) + " has no name");
    if (std::find(columns_.begin(), columns_.end(), columns_[index]) - columns_.begin() !=
        static_cast<std::ptrdiff_t>(index))
      refuse("two columns are named \"" + excerpt(columns_[index]) + "\"");
  }
  for (const std::string& name : needed) {
    if (std::find(columns_.begin(), columns_.end(), name) != columns_.end()) continue;
    std::string found;
    for (const std::string& column : columns_) found += (found.empty() ? "" : ", ") + excerpt(column);
    refuse("the column \"" + name + "\" is missing; found: " + found);
  }
}

bool CsvRecords::next() {
  document_ = tkm::JsonDocument();
  if (!read_row()) return false;
  if (fields_.size() != columns_.size()) {
    throw fault("the header has " + std::to_string(columns_.size()) + " columns, this row " +
                std::to_string(fields_.size()));
  }
  auto& memory = document_.GetAllocator();
  document_.SetObject();
  for (size_t index = 0; index < fields_.size(); ++index) {
    const auto text = [&](const std::string& from) {
      return tkm::Json(from.data(), static_cast<rapidjson::SizeType>(from.size()), memory);
    };
    document_.AddMember(text(columns_[index]), text(fields_[index]), memory);
  }
  return true;
}

bool CsvRecords::read_row() {
  for (;;) {
    row_line_ = line_;
    if (file_.ahead().empty()) return false;
    Row row(fields_);
    const Row::Next end = scan(row);
    row.finish();
    if (row.too_large()) throw fault("larger than 64 MiB");
    if (row.in_quotes())
      throw fault("the file ends inside a quoted field (byte " + with_commas(file_.offset()) + ")");
    if (end == Row::Next::quote_inside || end == Row::Next::text_behind_quote) refuse_quote(end);
    if (row.empty()) continue;
    for (const std::string& field : fields_) {
      if (tkm::invalid_utf8_at(field) != field.npos) throw fault("not valid UTF-8");
    }
    return true;
  }
}

// Up to the end of the row, or to the byte that does not fit in.
CsvRecords::Row::Next CsvRecords::scan(Row& row) {
  for (std::string_view bytes = file_.ahead(); !bytes.empty(); bytes = file_.ahead()) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      const Row::Next next = row.take(bytes[at]);
      if (next == Row::Next::more) {
        if (bytes[at] == '\n') ++line_;
        continue;
      }
      const bool ended = next == Row::Next::ended;
      if (ended) ++line_;
      file_.consume(ended ? at + 1 : at);
      return next;
    }
    file_.consume(bytes.size());
  }
  return Row::Next::more;
}

void CsvRecords::refuse_quote(Row::Next why) {
  const std::string place = " (byte " + with_commas(file_.offset() + 1) + ")";
  skip_line();
  throw fault((why == Row::Next::quote_inside ? "a quote inside a field that does not begin with one"
                                              : "text follows a closing quote") +
              place);
}

void CsvRecords::skip_line() {
  for (std::string_view bytes = file_.ahead(); !bytes.empty(); bytes = file_.ahead()) {
    const size_t newline = bytes.find('\n');
    file_.consume(newline == bytes.npos ? bytes.size() : newline + 1);
    if (newline == bytes.npos) continue;
    ++line_;
    return;
  }
}

tkm::Error CsvRecords::fault(std::string_view what) const {
  return tkm::input_error(file_.path() + ":" + std::to_string(row_line_) + ": " + std::string(what));
}

}  // namespace standard

#include "readers.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace standard {
namespace {

constexpr size_t kShownBytes = 40;  // of foreign text in a sentence
constexpr size_t kShownKeys = 12;
constexpr int64_t kMostTokens = 10'000'000;

bool is_blank_byte(char byte) {
  return kBlank.find(byte) != kBlank.npos;
}

// Finds the end of one JSON value by its brackets and quotes alone, in pieces that may be cut anywhere.
class ValueScanner {
 public:
  // How many of `bytes` belong to the value; it has ended if that is less than all, or ended() says so.
  size_t scan(std::string_view bytes) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      if (in_string_ || depth_ > 0 || !ends_scalar(bytes[at])) {
        step(bytes[at]);
        if (ended_) return at + 1;
      } else {
        ended_ = true;
        return at;
      }
    }
    return bytes.size();
  }
  bool ended() const { return ended_; }
  // Would the end of the file cut it?
  bool open() const { return in_string_ || depth_ > 0; }

 private:
  static bool ends_scalar(char byte) { return byte == ',' || byte == ']' || is_blank_byte(byte); }

  void step(char byte) {
    if (in_string_) {
      const bool quote = byte == '"' && !escaped_;
      escaped_ = byte == '\\' && !escaped_;
      if (!quote) return;
      in_string_ = false;
      ended_ = depth_ == 0;
    } else if (byte == '"') {
      in_string_ = true;
    } else if (byte == '{' || byte == '[') {
      ++depth_;
    } else if ((byte == '}' || byte == ']') && depth_ > 0) {
      ended_ = --depth_ == 0;
    }
  }

  uint64_t depth_ = 0;
  bool in_string_ = false, escaped_ = false, ended_ = false;
};

// Where the array `"key": [` of the file's one object begins; only plain members may stand before it, as
// "version" does in some files. npos: there is none.
size_t wrapped_array_at(std::string_view head, std::string_view key) {
  const std::string quoted = '"' + std::string(key) + '"';
  const size_t name = head.find(quoted);
  if (key.empty() || name == head.npos) return head.npos;
  if (head.substr(0, name).find('[') != head.npos || head.substr(0, name).rfind('{') != head.find('{'))
    return head.npos;
  const size_t colon = head.find_first_not_of(kBlank, name + quoted.size());
  if (colon == head.npos || head[colon] != ':') return head.npos;
  const size_t bracket = head.find_first_not_of(kBlank, colon + 1);
  return bracket != head.npos && head[bracket] == '[' ? bracket : head.npos;
}

}  // namespace

RecordReader::RecordReader(std::string path, Form form, std::string_view key)
    : file_(std::move(path)), array_(form == Form::lines_or_array && file_.first_visible() == '[') {
  if (file_.first_visible() != '{') return;
  const size_t bracket = wrapped_array_at(file_.ahead(), key);
  if (bracket == std::string_view::npos) return;
  file_.consume(bracket);
  array_ = wrapped_ = true;
}

bool RecordReader::next(std::string_view& record) {
  if (state_ == State::ended) return false;
  buffer_.clear();
  too_large_ = false;
  if (!(array_ ? next_element() : next_line())) {
    state_ = State::ended;
    return false;
  }
  check();
  record = record_;
  return true;
}

bool RecordReader::next_line() {
  while (read_line()) {
    if (!buffer_.empty() && buffer_.back() == '\r') buffer_.pop_back();
    record_ = buffer_;
    if (!is_blank(record_) || too_large_) return true;
    buffer_.clear();
  }
  return false;
}

bool RecordReader::read_line() {
  ++number_;
  start_ = file_.offset();
  std::string_view bytes = file_.ahead();
  if (bytes.empty()) return false;
  for (; !bytes.empty(); bytes = file_.ahead()) {
    const size_t newline = bytes.find('\n');
    append(bytes.substr(0, newline));
    file_.consume(newline == bytes.npos ? bytes.size() : newline + 1);
    if (newline != bytes.npos) return true;
  }
  return true;
}

bool RecordReader::next_element() {
  char next = skip_blanks();
  if (state_ == State::begin) {
    file_.consume(1);  // the '['
    state_ = State::first;
    next = skip_blanks();
  }
  if (next == ']' && state_ != State::behind_comma) return end_of_array();
  const bool comma_missing = state_ == State::behind_value && next != ',';
  if (state_ == State::behind_value && next == ',') {
    file_.consume(1);
    state_ = State::behind_comma;
    next = skip_blanks();
  }
  if (next == 0) throw cut_off(number_ == 0 ? "ends before record " : "ends after record ");
  ++number_;
  read_element();
  if (comma_missing) throw fault_at(0, "not valid JSON: a comma is missing in front of it");
  return true;
}

void RecordReader::read_element() {
  start_ = file_.offset();
  state_ = State::behind_value;
  ValueScanner scanner;
  for (std::string_view bytes = file_.ahead(); !bytes.empty(); bytes = file_.ahead()) {
    const size_t taken = scanner.scan(bytes);
    append(bytes.substr(0, taken));
    file_.consume(taken);
    if (scanner.ended()) break;
  }
  if (scanner.open()) throw cut_off("ends inside record ");
  record_ = buffer_;
}

bool RecordReader::end_of_array() {
  file_.consume(1);
  state_ = State::ended;
  if (wrapped_) check_wrapper();
  if (skip_blanks() != 0) {
    throw tkm::input_error(file_.path() + ": more follows after the end of the array (byte " +
                           with_commas(file_.offset() + 1) + ")");
  }
  return false;
}

// What follows the array in the file's one object, up to its end.
void RecordReader::check_wrapper() {
  ValueScanner scanner;
  scanner.scan("{");
  for (std::string_view bytes = file_.ahead(); !bytes.empty() && !scanner.ended(); bytes = file_.ahead()) {
    file_.consume(scanner.scan(bytes));
  }
  if (scanner.open()) throw cut_off("ends after record ");
}

tkm::Error RecordReader::cut_off(std::string_view where) {
  state_ = State::ended;
  return tkm::input_error(file_.path() + ": " + std::string(where) +
                          with_commas(std::max<uint64_t>(number_, 1)) + " (byte " +
                          with_commas(file_.offset()) + ")");
}

void RecordReader::append(std::string_view bytes) {
  too_large_ = too_large_ || buffer_.size() + bytes.size() > kMaxRecordBytes;
  if (!too_large_) buffer_.append(bytes);
}

char RecordReader::skip_blanks() {
  for (std::string_view bytes = file_.ahead(); !bytes.empty(); bytes = file_.ahead()) {
    const size_t at = bytes.find_first_not_of(kBlank);
    file_.consume(std::min(at, bytes.size()));
    if (at != bytes.npos) return bytes[at];
  }
  return 0;
}

void RecordReader::check() const {
  if (too_large_) throw fault("larger than 64 MiB");
  const size_t bad = tkm::invalid_utf8_at(record_);
  if (bad != record_.npos) throw fault_at(bad, "not valid UTF-8");
}

tkm::Error RecordReader::fault(std::string_view what) const {
  const std::string where = array_ ? ": record " + with_commas(number_) : ":" + std::to_string(number_);
  return tkm::input_error(file_.path() + where + ": " + std::string(what));
}

tkm::Error RecordReader::fault_at(size_t byte_of_record, std::string_view what) const {
  const std::string place = array_ ? "byte " + with_commas(start_ + byte_of_record + 1)
                                   : "column " + std::to_string(byte_of_record + 1);
  return fault(std::string(what) + " (" + place + ")");
}

bool JsonRecords::next() {
  std::string_view record;
  if (!reader_.next(record)) return false;
  size_t bad = 0;
  if (!tkm::parse_json(record, document_, &bad)) throw reader_.fault_at(bad, "not valid JSON");
  return true;
}

const tkm::Json& JsonRecords::unwrap(const tkm::Json& value) {
  if (!value.IsString()) return value;
  tkm::JsonDocument parsed;  // `value` may lie in inside_
  if (!tkm::parse_json(tkm::text_of(value), parsed)) throw fault("the text in it is not valid JSON");
  inside_ = std::move(parsed);
  return inside_;
}

const tkm::Json& Records::object() const {
  if (!document_.IsObject()) throw fault("must be an object (got " + shown(document_) + ")");
  return document_;
}

tkm::Error Records::missing(const tkm::Json& object, std::string_view name, std::string_view where) const {
  std::string found;
  size_t count = 0;
  for (const auto& member : object.GetObject()) {
    if (count++ > 0) found += ", ";
    if (count > kShownKeys) {
      found += "...";
      break;
    }
    found += excerpt(tkm::text_of(member.name));
  }
  return fault(std::string(where) + "\"" + std::string(name) +
               "\" is missing; found: " + (found.empty() ? "nothing" : found));
}

std::string excerpt(std::string_view text) {
  size_t size = std::min(text.size(), kShownBytes);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0u) == 0x80u) --size;
  std::string shown;
  tkm::append_json_escaped(shown, text.substr(0, size));
  return size < text.size() ? shown + "..." : shown;
}

std::string shown(const tkm::Json& value) {
  if (value.IsObject()) return "an object";
  if (value.IsArray()) return "a list";
  if (value.IsString()) return "\"" + excerpt(tkm::text_of(value)) + "\"";
  std::string text;
  tkm::JsonWriter(text).value(value);
  return text;
}

std::string_view text_member(const tkm::Json& object, std::string_view name, const Records& records,
                             std::string_view where) {
  const tkm::Json* found = tkm::find(object, name);
  if (found == nullptr) throw records.missing(object, name, where);
  if (found->IsString()) return tkm::text_of(*found);
  throw records.fault(std::string(where) + "\"" + std::string(name) + "\" must be text (got " +
                      shown(*found) + ")");
}

int64_t token_count(const tkm::Json& value, std::string_view name, const Records& records, int64_t lowest) {
  std::optional<int64_t> tokens = tkm::int_of(value);
  if (records.all_texts() && value.IsString()) {
    const std::string_view text = tkm::text_of(value);
    int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault == std::errc() && end == text.data() + text.size()) tokens = number;
  }
  if (tokens && *tokens >= lowest && *tokens <= kMostTokens) return *tokens;
  throw records.fault("\"" + std::string(name) + "\" must be a whole number from " + std::to_string(lowest) +
                      " to " + with_commas(kMostTokens) + " (got " + shown(value) + ")");
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlank) == text.npos;
}

}  // namespace standard

// Reading records.jsonl: lines are cut from large pieces of the file, checked against their CRC, and parsed.
#include <tokometer/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "metrics/rare_lines.hpp"
#include "metrics/record_fields.hpp"
#include "metrics/request_parser.hpp"

namespace tokometer {

using namespace record_fields;

namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kMaxLineBytes = size_t{64} << 20;  // a longer line is damage

// Does the line end in a CRC that fits the bytes before it?
bool intact(std::string_view line) {
  if (line.size() < kCrcTail) return false;
  const std::string_view body = line.substr(0, line.size() - kCrcTail), tail = line.substr(body.size());
  if (tail.substr(0, kCrcKey.size()) != kCrcKey || tail.substr(tail.size() - 2) != "\"}") return false;
  return parse_hex8(tail.substr(kCrcKey.size(), 8)) == crc32c(body);
}

// Takes a file's lines one by one: the state of a reading.
class LineReader {
 public:
  explicit LineReader(RecordVisitor& visitor) : visitor_(visitor) {}

  void take(std::string_view line) {
    uint64_t number = 0;
    if (!intact(line) || !dispatch(line, number)) {
      ++report_.damaged;
      return;
    }
    ++report_.lines;
    last_number_ = number;
  }

  ReadReport finish(bool torn_tail) {
    report_.torn_tail = torn_tail;
    report_.missing = last_number_ - report_.lines;
    return report_;
  }

 private:
  // A number that does not rise belongs to a line that was copied: not used.
  bool fresh(uint64_t number) const { return number > last_number_; }

  bool dispatch(std::string_view line, uint64_t& number) {
    constexpr std::string_view kRequest = "{\"t\":\"request\",";
    if (line.substr(0, kRequest.size()) != kRequest) return dispatch_other(line, number);
    if (!request_.parse(line)) return false;
    number = request_.line_number();
    if (!fresh(number)) return false;
    ++report_.request_lines;
    visitor_.on_request(request_.record());
    return true;
  }

  bool dispatch_other(std::string_view line, uint64_t& number) {
    tkm::JsonDocument json;
    if (!tkm::parse_json(line, json)) return false;
    number = get_count(json, "n");
    if (!fresh(number)) return false;
    const std::string_view kind = tkm::get_string(json, "t");
    if (kind == "phase") {
      visitor_.on_phase(read_phase(json));
    } else if (kind == "tick") {
      read_tick(json, tick_);
      visitor_.on_tick(tick_);
    } else if (kind == "warn") {
      visitor_.on_warn({tkm::get_int(json, "at_ns"), std::string(tkm::get_string(json, "id")),
                        std::string(tkm::get_string(json, "text"))});
    } else if (kind == "end") {
      report_.has_end = true;
      visitor_.on_end(
          {tkm::get_int(json, "at_ns"), std::string(tkm::get_string(json, "reason")), read_totals(json)});
    } else {
      ++report_.unknown;
    }
    return true;
  }

  RecordVisitor& visitor_;
  RequestParser request_;
  TickLine tick_;
  ReadReport report_;
  uint64_t last_number_ = 0;
};

// Gives each complete line of `text` to the reader; returns how many bytes were used.
size_t take_lines(std::string_view text, LineReader& reader) {
  size_t used = 0;
  for (size_t end; (end = text.find('\n', used)) != text.npos; used = end + 1) {
    reader.take(text.substr(used, end - used));
  }
  return used;
}

Error system_error(const std::filesystem::path& file, const char* verb) {
  return Error{"cannot " + std::string(verb) + ": " + std::strerror(errno), file.string()};
}

}  // namespace

ReadReport read_records_text(std::string_view text, RecordVisitor& visitor) {
  LineReader reader(visitor);
  const size_t used = take_lines(text, reader);
  return reader.finish(used != text.size());
}

namespace {

// Cuts a file into complete lines, with only the unfinished line kept between two pieces.
class LineCutter {
 public:
  explicit LineCutter(LineReader& reader) : reader_(reader) {}

  // Where the next piece of the file goes; then say how much of it came.
  char* room() {
    kept_ = carry_.size();
    carry_.resize(kept_ + kReadBytes);
    return carry_.data() + kept_;
  }
  void took(size_t bytes) {
    carry_.resize(kept_ + bytes);
    const size_t start = skipping_ ? end_of_long_line() : 0;
    carry_.erase(0, start + take_lines(std::string_view(carry_).substr(start), reader_));
    if (carry_.size() <= kMaxLineBytes) return;
    skipping_ = true;
    carry_.clear();
  }
  bool inside_line() const { return skipping_ || !carry_.empty(); }

 private:
  size_t end_of_long_line() {
    const size_t end = carry_.find('\n');
    if (end == std::string::npos) return carry_.size();
    skipping_ = false;
    reader_.take({});  // counts as damaged
    return end + 1;
  }

  LineReader& reader_;
  std::string carry_;
  size_t kept_ = 0;
  bool skipping_ = false;
};

}  // namespace

Result<ReadReport> read_records(const std::filesystem::path& file, RecordVisitor& visitor,
                                uint64_t from_byte) {
  const Descriptor input(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!input) return system_error(file, "open the records");
  if (from_byte > 0 && ::lseek(input.get(), static_cast<off_t>(from_byte), SEEK_SET) < 0)
    return system_error(file, "read the records");
  LineReader reader(visitor);
  LineCutter cutter(reader);
  for (;;) {
    const ssize_t got = ::read(input.get(), cutter.room(), kReadBytes);
    if (got < 0 && errno != EINTR) return system_error(file, "read the records");
    cutter.took(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return reader.finish(cutter.inside_line());
  }
}

}  // namespace tokometer

// Reading records.jsonl: lines are cut from large pieces of the file, checked against their CRC, and parsed. Request
// lines, which are nearly all of the file, go through an event parser; the few others through a document.
#include <tokometer/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "metrics/record_fields.hpp"

namespace tokometer {

using namespace record_fields;

namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kMaxLineBytes = size_t{64} << 20;   // a longer line is damage

// Eight lower-case digits: a flipped bit must not turn "a" into an equal "A".
std::optional<uint32_t> parse_hex8(std::string_view text) {
  if (text.find_first_not_of("0123456789abcdef") != text.npos) return std::nullopt;
  uint32_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (fault != std::errc{} || end != text.data() + text.size() || text.size() != 8) return std::nullopt;
  return value;
}

// Does the line end in a CRC that fits the bytes before it?
bool intact(std::string_view line) {
  if (line.size() < kCrcTail) return false;
  const std::string_view body = line.substr(0, line.size() - kCrcTail), tail = line.substr(body.size());
  if (tail.substr(0, kCrcKey.size()) != kCrcKey || tail.substr(tail.size() - 2) != "\"}") return false;
  return parse_hex8(tail.substr(kCrcKey.size(), 8)) == crc32c(body);
}

// The integers of a JSON array without blanks, from behind its "["; returns where it ends ("]"), or npos if it is
// anything else. Most of a record file is such arrays, and this is several times faster than a general parser.
size_t read_integers(std::string_view text, size_t at, std::vector<int64_t>& out) {
  const char* const end = text.data() + text.size();
  const char* next = text.data() + at;
  while (next != end && *next != ']') {
    int64_t value = 0;
    const auto [stop, fault] = std::from_chars(next, end, value);
    if (fault != std::errc{} || stop == end || (*stop != ',' && *stop != ']')) return std::string_view::npos;
    out.push_back(value);
    next = *stop == ',' ? stop + 1 : stop;
  }
  return next == end ? std::string_view::npos : static_cast<size_t>(next - text.data());
}

// Events of one request line -> a RequestRecord. Unknown keys are skipped: a newer version may have written them.
class RequestParser : public tkm::JsonEvents {
 public:
  // Fills record() and line_number(); false: not a request line of the expected form.
  bool parse(std::string_view line) {
    record_.reset();
    gaps_.clear(), tokens_.clear(), coalesced_.clear(), choices_.clear();
    depth_ = 0, list_ = nullptr, has_gaps_ = false, in_server_ = false, number_ = 0, good_ = true;
    rest_.assign(line);
    take_out("\"gaps_us\":[", cut_gaps_);
    take_out("\"k\":[", cut_tokens_);
    return reader_.parse(rest_, *this) && good_ && number_ > 0 && build_timeline();
  }
  const RequestRecord& record() const { return record_; }
  uint64_t line_number() const { return number_; }

  bool StartObject() {
    ++depth_;
    in_server_ = depth_ == 2 && key_ == "server";
    return true;
  }
  bool EndObject(rapidjson::SizeType) {
    --depth_;
    in_server_ = false;
    return true;
  }
  bool StartArray() {
    if (++depth_ == 2) list_ = list_of(key_);
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    if (--depth_ == 1) list_ = nullptr;
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    key_.assign(text, size);
    return true;
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view value(text, size);
    if (depth_ == 1) take_text(value);
    if (list_ != nullptr) put_back(value);
    if (depth_ == 2 && key_ == "flags") record_.flags |= flag_from_name(value);
    return true;
  }
  bool Bool(bool value) {
    if (depth_ == 1 && key_ == "reused") record_.reused = value;
    return true;
  }
  bool Int(int value) { return Int64(value); }
  bool Uint(unsigned value) { return Int64(value); }
  bool Uint64(uint64_t value) { return value <= INT64_MAX ? Int64(static_cast<int64_t>(value)) : Double(static_cast<double>(value)); }
  bool Int64(int64_t value) {
    if (list_ != nullptr) {
      list_->push_back(value);
    } else if (in_server_) {
      record_.server.emplace_back(key_, static_cast<double>(value));
    } else if (depth_ == 1) {
      take_number(value);
    }
    return true;
  }
  bool Double(double value) {
    if (in_server_) record_.server.emplace_back(key_, value);
    else if (list_ != nullptr || (depth_ == 1 && find_field() != nullptr)) good_ = false;
    return true;
  }

 private:
  static constexpr std::string_view kTakenOut = "@";  // stands in an array for numbers that were read by hand

  // Replaces the numbers of the first array that follows `key` by a mark, for the general parser to find.
  void take_out(std::string_view key, std::vector<int64_t>& numbers) {
    numbers.clear();
    size_t at = rest_.find(key);
    if (at == rest_.npos) return;
    at += key.size();
    const size_t end = read_integers(rest_, at, numbers);
    if (end == rest_.npos || numbers.empty()) return;
    rest_.replace(at, end - at, "\"@\"");
  }

  void put_back(std::string_view mark) {
    const std::vector<int64_t>* numbers = list_ == &gaps_ ? &cut_gaps_ : list_ == &tokens_ ? &cut_tokens_ : nullptr;
    good_ &= numbers != nullptr && mark == kTakenOut;
    if (good_) list_->insert(list_->end(), numbers->begin(), numbers->end());
  }

  // Lines are written in the order of the table, so the search starts where the last one ended.
  const RequestField* find_field() {
    for (size_t i = 0; i < kRequestFields.size(); ++i) {
      const size_t at = (next_field_ + i) % kRequestFields.size();
      if (kRequestFields[at].name == key_) return next_field_ = at + 1, &kRequestFields[at];
    }
    return nullptr;
  }

  void take_number(int64_t value) {
    if (key_ == "seq") {
      good_ &= value >= 0;
      record_.seq = static_cast<uint64_t>(value);
    } else if (key_ == "n") {
      number_ = value > 0 ? static_cast<uint64_t>(value) : 0;
    } else if (const RequestField* field = find_field(); field != nullptr) {
      if (field->number != nullptr) record_.*field->number = value;
      good_ &= field->number != nullptr;
    }
  }

  void take_text(std::string_view value) {
    if (key_ == "t") {
      good_ &= value == "request";
    } else if (key_ == "status") {
      const auto status = status_from_name(value);
      good_ &= status.has_value();
      record_.status = status.value_or(Status::failed);
    } else if (key_ == "token_source") {
      record_.token_source = token_source_from_name(value).value_or(TokenSource::none);
    } else if (key_ == "prompt_source") {
      record_.prompt_from_dataset = value == "dataset";
    } else if (key_ == "stamp") {
      record_.stamp_kernel = value == "kernel";
    } else if (key_ == "text_crc") {
      const auto crc = parse_hex8(value);
      record_.has_text_crc = crc.has_value();
      record_.text_crc = crc.value_or(0);
    } else if (key_ == "seq" || key_ == "n") {
      good_ = false;
    } else if (const RequestField* field = find_field(); field != nullptr) {
      if (field->text != nullptr) (record_.*field->text).assign(value);
      good_ &= field->text != nullptr;
    }
  }

  std::vector<int64_t>* list_of(std::string_view key) {
    if (key == "gaps_us") return has_gaps_ = true, &gaps_;
    if (key == "k") return &tokens_;
    if (key == "coalesced") return &coalesced_;
    return key == "choice" ? &choices_ : nullptr;
  }

  // The side arrays must fit the number of events, else the line is not what a writer wrote.
  bool build_timeline() {
    if (!has_gaps_) return tokens_.empty() && coalesced_.empty() && choices_.empty();
    const size_t events = gaps_.size() + 1;
    if (!tokens_.empty() && tokens_.size() != events) return false;
    if (!choices_.empty() && choices_.size() != events) return false;
    size_t next_coalesced = 0;
    int64_t at_us = 0;
    for (size_t i = 0; i < events; ++i) {
      if (i > 0) at_us += gaps_[i - 1];
      const bool coalesced = next_coalesced < coalesced_.size() && coalesced_[next_coalesced] == static_cast<int64_t>(i);
      if (coalesced) ++next_coalesced;
      record_.timeline.add(pool_, at_us, tokens_.empty() ? 1 : static_cast<uint32_t>(tokens_[i]),
                           {coalesced, choices_.empty() ? 0 : static_cast<uint32_t>(choices_[i])});
    }
    return next_coalesced == coalesced_.size();
  }

  tkm::JsonReader reader_;
  BlockPool pool_;
  RequestRecord record_;
  std::string key_;
  std::string rest_;  // the line without its long arrays
  std::vector<int64_t> gaps_, tokens_, coalesced_, choices_, cut_gaps_, cut_tokens_;
  std::vector<int64_t>* list_ = nullptr;
  size_t next_field_ = 0;
  int depth_ = 0;
  bool has_gaps_ = false, in_server_ = false, good_ = true;
  uint64_t number_ = 0;
};

template <size_t N>
size_t index_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  return 0;
}

uint64_t get_count(const tkm::Json& object, std::string_view key) {
  return static_cast<uint64_t>(std::max<int64_t>(tkm::get_int(object, key), 0));
}

std::optional<uint64_t> get_optional_count(const tkm::Json& object, std::string_view key) {
  if (tkm::find(object, key) == nullptr) return std::nullopt;
  return get_count(object, key);
}

// Calls f for each item of the array `key`; nothing if there is none.
template <class F>
void for_each_item(const tkm::Json& object, std::string_view key, F&& f) {
  const tkm::Json* array = tkm::find(object, key);
  if (array == nullptr || !array->IsArray()) return;
  for (const tkm::Json& item : array->GetArray()) f(item);
}

Span read_span(const tkm::Json& object, std::string_view key) {
  Span span;
  if (const tkm::Json* json = tkm::find(object, key)) {
    span.kind = static_cast<Span::Kind>(index_in(kSpanNames, tkm::get_string(*json, "kind")));
    span.ns = tkm::get_int(*json, "ns");
    span.count = get_count(*json, "count");
  }
  return span;
}

PhaseLine read_phase(const tkm::Json& json) {
  PhaseLine line;
  line.phase = tkm::get_string(json, "phase");
  line.workload = tkm::get_string(json, "workload");
  line.event = static_cast<PhaseLine::Event>(index_in(kPhaseEventNames, tkm::get_string(json, "event")));
  line.at_ns = tkm::get_int(json, "at_ns");
  if (const tkm::Json* duration = tkm::find(json, "duration_ns")) line.duration_ns = tkm::int_of(*duration);
  line.requests = get_optional_count(json, "requests");
  line.warmup = read_span(json, "warmup");
  line.cooldown = read_span(json, "cooldown");
  line.measure = tkm::get_bool(json, "measure", true);
  line.open_loop = tkm::get_string(json, "loop", "open") == "open";
  line.unsteady = tkm::get_bool(json, "unsteady");
  line.load = tkm::get_string(json, "load");
  if (tkm::find(json, "rate_per_s") != nullptr) line.rate_per_s = tkm::get_number(json, "rate_per_s");
  line.users = get_optional_count(json, "users");
  line.max_in_flight = get_optional_count(json, "max_in_flight");
  line.overload = tkm::get_string(json, "overload");
  return line;
}

std::vector<PhaseTotals> read_totals(const tkm::Json& json) {
  std::vector<PhaseTotals> all;
  for_each_item(json, "totals", [&](const tkm::Json& item) {
    PhaseTotals t;
    t.workload = tkm::get_string(item, "workload");
    t.phase = tkm::get_string(item, "phase");
    t.planned = get_count(item, "planned"), t.issued = get_count(item, "issued");
    t.not_issued = get_count(item, "not_issued"), t.ok = get_count(item, "ok");
    t.failed = get_count(item, "failed"), t.cancelled = get_count(item, "cancelled");
    t.wanted_user_ns = tkm::get_int(item, "wanted_user_ns");
    t.active_user_ns = tkm::get_int(item, "active_user_ns");
    all.push_back(std::move(t));
  });
  return all;
}

void read_histogram(const tkm::Json& json, std::string_view key, Histogram& histogram) {
  histogram.clear();
  for_each_item(json, key, [&](const tkm::Json& pair) {
    if (!pair.IsArray() || pair.Size() != 2 || !pair[0].IsUint() || !pair[1].IsUint64()) return;
    histogram.record_bucket(pair[0].GetUint(), pair[1].GetUint64());
  });
}

void read_tick(const tkm::Json& json, TickLine& line) {
  line.at_ns = tkm::get_int(json, "at_ns");
  line.totals = read_totals(json);
  line.last_seq = get_optional_count(json, "last_seq");
  line.in_flight = get_count(json, "in_flight");
  line.rss_bytes = tkm::get_int(json, "rss_bytes");
  line.fds = tkm::get_int(json, "fds");
  line.threads.clear();
  for_each_item(json, "threads", [&](const tkm::Json& item) {
    line.threads.push_back({std::string(tkm::get_string(item, "name")), tkm::get_bool(item, "io"),
                            tkm::get_int(item, "cpu_ns"), tkm::get_int(item, "run_queue_ns"),
                            tkm::get_int(item, "longest_turn_ns")});
  });
  for (const TickField& field : kTickFields) line.*field.number = tkm::get_int(json, field.name);
  read_histogram(json, "client_lag", line.client_lag);
  read_histogram(json, "ambiguity", line.ambiguity);
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
      visitor_.on_end({tkm::get_int(json, "at_ns"), std::string(tkm::get_string(json, "reason")), read_totals(json)});
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

Result<ReadReport> read_records(const std::filesystem::path& file, RecordVisitor& visitor) {
  const Descriptor input(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!input) return system_error(file, "open the records");
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

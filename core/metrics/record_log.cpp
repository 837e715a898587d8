#include "metrics/record_log.hpp"

#include <tokometer/json.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

#include "base/hash.hpp"
#include "metrics/record_fields.hpp"

namespace tokometer {

using namespace record_fields;

namespace {

// Comma-separated integers, straight into a chunk on the stack: the gaps of a long answer are most of a
// record file.
class IntegerList {
 public:
  IntegerList(std::string& out, std::string_view key) : out_(out) {
    out_.append(",\"").append(key).append("\":[");
  }
  ~IntegerList() {
    flush();
    out_.push_back(']');
  }
  IntegerList(const IntegerList&) = delete;
  IntegerList& operator=(const IntegerList&) = delete;

  void add(int64_t value) {
    if (end_ + 24 > chunk_.data() + chunk_.size()) flush();
    if (!first_) *end_++ = ',';
    first_ = false;
    end_ = std::to_chars(end_, chunk_.data() + chunk_.size(), value).ptr;
  }

 private:
  void flush() {
    out_.append(chunk_.data(), static_cast<size_t>(end_ - chunk_.data()));
    end_ = chunk_.data();
  }

  std::string& out_;
  std::array<char, 1024> chunk_;
  char* end_ = chunk_.data();
  bool first_ = true;
};

constexpr size_t kLongestKey = 32;
static_assert(std::all_of(kRequestFields.begin(), kRequestFields.end(),
                          [](const RequestField& field) { return field.name.size() <= kLongestKey; }));

// `,"key":` and room behind it, on the stack: a line is many short pieces, and each append costs more than
// its bytes.
class KeyText {
 public:
  explicit KeyText(std::string_view key) {
    assert(key.size() <= kLongestKey);
    add(",\"");
    add(key);
    add("\":");
  }
  void add(std::string_view piece) {
    std::memcpy(text_.data() + size_, piece.data(), piece.size());
    size_ += piece.size();
  }
  void add(int64_t value) {
    const char* end = std::to_chars(text_.data() + size_, text_.data() + text_.size(), value).ptr;
    size_ = static_cast<size_t>(end - text_.data());
  }
  operator std::string_view() const { return {text_.data(), size_}; }

 private:
  std::array<char, kLongestKey + 32> text_;
  size_t size_ = 0;
};

void put_integer(std::string& out, std::string_view key, int64_t value) {
  KeyText text(key);
  text.add(value);
  out.append(text);
}

void put_text(std::string& out, std::string_view key, std::string_view value) {
  KeyText text(key);
  text.add("\"");
  out.append(text);
  tkm::append_json_escaped(out, value);
  out.push_back('"');
}

void put_flags(std::string& out, uint32_t flags) {
  out.append(",\"flags\":[");
  for (int bit = 0; bit < kFlagCount; ++bit) {
    if ((flags >> bit & 1u) == 0) continue;
    if (out.back() != '[') out.push_back(',');
    out.append("\"").append(flag_name(bit)).append("\"");
  }
  out.push_back(']');
}

void put_hex8(std::string& out, uint32_t value) {
  std::array<char, 8> digits;
  for (char& digit : digits) {
    digit = "0123456789abcdef"[value >> 28];
    value <<= 4;
  }
  out.append(digits.data(), digits.size());
}

void put_server(std::string& out, const std::vector<std::pair<std::string, double>>& server) {
  out.append(",\"server\":");
  tkm::JsonWriter json(out);
  json.begin_object();
  for (const auto& [name, value] : server) json.member(name, value);
  json.end_object();
}

// Which of the optional arrays does a timeline need?
struct TimelineShape {
  bool tokens = false, coalesced = false, choices = false;
};

TimelineShape shape_of(const Timeline& timeline) {
  TimelineShape shape;
  bool stated = false, unlike_one = false;
  for (Timeline::Cursor cursor(timeline); cursor.next();) {
    const Timeline::Entry& entry = cursor.entry();
    stated |= entry.tokens != 0;
    unlike_one |= entry.tokens != 1;
    shape.coalesced |= entry.coalesced;
    shape.choices |= entry.choice != 0;
  }
  shape.tokens = stated && unlike_one;
  return shape;
}

template <class F>
void put_entries(std::string& out, std::string_view key, const Timeline& timeline, F&& value_of) {
  IntegerList list(out, key);
  for (Timeline::Cursor cursor(timeline); cursor.next();) list.add(value_of(cursor.entry()));
}

void put_gaps(std::string& out, const Timeline& timeline) {
  IntegerList list(out, "gaps_us");
  Timeline::Cursor cursor(timeline);
  cursor.next();
  for (int64_t last = cursor.entry().at_us; cursor.next(); last = cursor.entry().at_us) {
    list.add(cursor.entry().at_us - last);
  }
}

void put_coalesced(std::string& out, const Timeline& timeline) {
  IntegerList list(out, "coalesced");
  Timeline::Cursor cursor(timeline);
  for (int64_t index = 0; cursor.next(); ++index) {
    if (cursor.entry().coalesced) list.add(index);
  }
}

std::string_view to_string(Span::Kind kind) {
  return kSpanNames[static_cast<size_t>(kind)];
}
std::string_view to_string(PhaseLine::Event event) {
  return kPhaseEventNames[static_cast<size_t>(event)];
}

void put_span(tkm::JsonWriter& json, std::string_view key, const Span& span) {
  json.key(key).begin_object().member("kind", to_string(span.kind));
  if (span.kind == Span::Kind::duration) json.member("ns", span.ns);
  if (span.kind == Span::Kind::count) json.member("count", span.count);
  json.end_object();
}

template <class T>
void put_optional(tkm::JsonWriter& json, std::string_view key, const std::optional<T>& value) {
  if (value) json.member(key, *value);
}

void put_plan(tkm::JsonWriter& json, const PhaseLine& line) {
  put_optional(json, "duration_ns", line.duration_ns);
  put_optional(json, "requests", line.requests);
  put_optional(json, "sessions", line.sessions);
  put_span(json, "warmup", line.warmup);
  put_span(json, "cooldown", line.cooldown);
  json.member("measure", line.measure).member("loop", line.open_loop ? "open" : "closed");
  json.member("unsteady", line.unsteady).member("load", line.load);
  put_optional(json, "rate_per_s", line.rate_per_s);
  put_optional(json, "users", line.users);
  put_optional(json, "max_in_flight", line.max_in_flight);
  if (!line.overload.empty()) json.member("overload", line.overload);
  if (!line.load_options.empty()) json.raw_member("options", line.load_options);
  put_optional(json, "value", line.value);
}

void put_totals(tkm::JsonWriter& json, const std::vector<PhaseTotals>& totals) {
  json.key("totals").begin_array();
  for (const PhaseTotals& t : totals) {
    json.begin_object().member("workload", t.workload).member("phase", t.phase);
    json.member("planned", t.planned).member("issued", t.issued).member("not_issued", t.not_issued);
    json.member("ok", t.ok).member("failed", t.failed).member("cancelled", t.cancelled);
    json.member("wanted_user_ns", t.wanted_user_ns).member("active_user_ns", t.active_user_ns).end_object();
  }
  json.end_array();
}

void put_histogram(tkm::JsonWriter& json, std::string_view key, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  json.key(key).begin_array();
  histogram.for_each(
      [&](uint32_t index, uint64_t n) { json.begin_array().value(index).value(n).end_array(); });
  if (histogram.overflow() != 0) {
    json.begin_array().value(Histogram::kBuckets).value(histogram.overflow()).end_array();
  }
  json.end_array();
}

void put_threads(tkm::JsonWriter& json, const std::vector<ThreadTick>& threads) {
  json.key("threads").begin_array();
  for (const ThreadTick& t : threads) {
    json.begin_object().member("name", t.name).member("io", t.io).member("cpu_ns", t.cpu_ns);
    json.member("run_queue_ns", t.run_queue_ns).member("longest_turn_ns", t.longest_turn_ns).end_object();
  }
  json.end_array();
}

}  // namespace

RecordWriter::RecordWriter(Options options) : options_(options) {
  buffer_.reserve(512 * 1024);
}

void RecordWriter::finish_line(size_t begin) {
  put_integer(buffer_, "n", static_cast<int64_t>(++lines_));
  const uint32_t crc = crc32c(std::string_view(buffer_).substr(begin));
  buffer_.append(kCrcKey);
  put_hex8(buffer_, crc);
  buffer_.append("\"}\n");
}

void RecordWriter::write_timeline(const Timeline& timeline) {
  put_gaps(buffer_, timeline);
  const TimelineShape shape = shape_of(timeline);
  if (shape.tokens) put_entries(buffer_, "k", timeline, [](const Timeline::Entry& e) { return e.tokens; });
  if (shape.coalesced) put_coalesced(buffer_, timeline);
  if (shape.choices)
    put_entries(buffer_, "choice", timeline, [](const Timeline::Entry& e) { return e.choice; });
}

void RecordWriter::write_request(const RequestRecord& record) {
  const size_t begin = buffer_.size();
  buffer_.append("{\"t\":\"request\"");
  put_integer(buffer_, "seq", static_cast<int64_t>(record.seq));
  for (const RequestField& field : kRequestFields) {
    if (field.text != nullptr) {
      const std::string& text = record.*field.text;
      if (!text.empty()) put_text(buffer_, field.name, text);
    } else if (const int64_t value = record.*field.number; value != field.unwritten) {
      put_integer(buffer_, field.name, value);
    }
  }
  put_text(buffer_, "status", tokometer::to_string(record.status));
  if (record.flags != 0) put_flags(buffer_, record.flags);
  if (record.token_source != TokenSource::none) {
    put_text(buffer_, "token_source", tokometer::to_string(record.token_source));
  }
  if (record.prompt_from_dataset) put_text(buffer_, "prompt_source", "dataset");
  if (record.reused) buffer_.append(",\"reused\":true");
  if (record.sent_ns != kAbsent) put_text(buffer_, "stamp", record.stamp_kernel ? "kernel" : "user");
  if (record.has_text_crc) {
    buffer_.append(",\"text_crc\":\"");
    put_hex8(buffer_, record.text_crc);
    buffer_.push_back('"');
  }
  if (options_.gaps && !record.timeline.empty()) write_timeline(record.timeline);
  if (!record.server.empty()) put_server(buffer_, record.server);
  finish_line(begin);
  ++request_lines_;
}

void RecordWriter::write_phase(const PhaseLine& line) {
  const size_t begin = buffer_.size();
  tkm::JsonWriter json(buffer_);
  json.begin_object().member("t", "phase").member("phase", line.phase).member("workload", line.workload);
  json.member("event", to_string(line.event)).member("at_ns", line.at_ns);
  if (line.event == PhaseLine::Event::begin) {
    put_plan(json, line);
  } else {
    put_optional(json, "duration_ns", line.duration_ns);
  }
  finish_line(begin);
}

void RecordWriter::write_tick(const TickLine& line) {
  const size_t begin = buffer_.size();
  tkm::JsonWriter json(buffer_);
  json.begin_object().member("t", "tick").member("at_ns", line.at_ns);
  put_totals(json, line.totals);
  put_optional(json, "last_seq", line.last_seq);
  json.member("in_flight", line.in_flight).member("rss_bytes", line.rss_bytes).member("fds", line.fds);
  put_threads(json, line.threads);
  for (const TickField& field : kTickFields) json.member(field.name, line.*field.number);
  put_histogram(json, "client_lag", line.client_lag);
  put_histogram(json, "ambiguity", line.ambiguity);
  finish_line(begin);
}

void RecordWriter::write_warn(const WarnLine& line) {
  const size_t begin = buffer_.size();
  tkm::JsonWriter json(buffer_);
  json.begin_object()
      .member("t", "warn")
      .member("at_ns", line.at_ns)
      .member("id", line.id)
      .member("text", line.text);
  finish_line(begin);
}

void RecordWriter::write_end(const EndLine& line) {
  const size_t begin = buffer_.size();
  tkm::JsonWriter json(buffer_);
  json.begin_object().member("t", "end").member("at_ns", line.at_ns).member("reason", line.reason);
  put_totals(json, line.totals);
  finish_line(begin);
}

}  // namespace tokometer

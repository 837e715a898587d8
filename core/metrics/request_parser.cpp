#include "metrics/request_parser.hpp"

#include <charconv>

namespace tokometer {

using namespace record_fields;

namespace {

constexpr std::string_view kTakenOut = "@";  // stands in an array for numbers that were read by hand

// The integers of a JSON array without blanks, from behind its "["; returns where it ends ("]"), or npos if
// it is anything else. Most of a record file is such arrays, and this is several times faster than a general
// parser.
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

}  // namespace

std::optional<uint32_t> parse_hex8(std::string_view text) {
  if (text.find_first_not_of("0123456789abcdef") != text.npos) return std::nullopt;
  uint32_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (fault != std::errc{} || end != text.data() + text.size() || text.size() != 8) return std::nullopt;
  return value;
}

bool RequestParser::parse(std::string_view line) {
  record_.reset();
  gaps_.clear(), tokens_.clear(), coalesced_.clear(), choices_.clear();
  depth_ = 0, list_ = nullptr, has_gaps_ = false, in_server_ = false, number_ = 0, good_ = true;
  rest_.assign(line);
  take_out("\"gaps_us\":[", cut_gaps_);
  take_out("\"k\":[", cut_tokens_);
  return reader_.parse(rest_, *this) && good_ && number_ > 0 && build_timeline();
}

// Replaces the numbers of the first array that follows `key` by a mark, for the general parser to find.
void RequestParser::take_out(std::string_view key, std::vector<int64_t>& numbers) {
  numbers.clear();
  size_t at = rest_.find(key);
  if (at == rest_.npos) return;
  at += key.size();
  const size_t end = read_integers(rest_, at, numbers);
  if (end == rest_.npos || numbers.empty()) return;
  rest_.replace(at, end - at, "\"@\"");
}

void RequestParser::put_back(std::string_view mark) {
  const std::vector<int64_t>* numbers = list_ == &gaps_     ? &cut_gaps_
                                        : list_ == &tokens_ ? &cut_tokens_
                                                            : nullptr;
  good_ &= numbers != nullptr && mark == kTakenOut;
  if (good_) list_->insert(list_->end(), numbers->begin(), numbers->end());
}

bool RequestParser::StartObject() {
  ++depth_;
  in_server_ = depth_ == 2 && key_ == "server";
  return true;
}

bool RequestParser::EndObject(rapidjson::SizeType) {
  --depth_;
  in_server_ = false;
  return true;
}

bool RequestParser::StartArray() {
  if (++depth_ == 2) list_ = list_of(key_);
  return true;
}

bool RequestParser::EndArray(rapidjson::SizeType) {
  if (--depth_ == 1) list_ = nullptr;
  return true;
}

bool RequestParser::Key(const char* text, rapidjson::SizeType size, bool) {
  key_.assign(text, size);
  return true;
}

bool RequestParser::String(const char* text, rapidjson::SizeType size, bool) {
  const std::string_view value(text, size);
  if (depth_ == 1) take_text(value);
  if (list_ != nullptr) put_back(value);
  if (depth_ == 2 && key_ == "flags") record_.flags |= flag_from_name(value);
  return true;
}

bool RequestParser::Bool(bool value) {
  if (depth_ == 1 && key_ == "reused") record_.reused = value;
  return true;
}

bool RequestParser::Uint64(uint64_t value) {
  return value <= INT64_MAX ? Int64(static_cast<int64_t>(value)) : Double(static_cast<double>(value));
}

bool RequestParser::Int64(int64_t value) {
  if (list_ != nullptr) {
    list_->push_back(value);
  } else if (in_server_) {
    record_.server.emplace_back(key_, static_cast<double>(value));
  } else if (depth_ == 1) {
    take_number(value);
  }
  return true;
}

bool RequestParser::Double(double value) {
  if (in_server_) {
    record_.server.emplace_back(key_, value);
  } else if (list_ != nullptr || (depth_ == 1 && find_field() != nullptr)) {
    good_ = false;
  }
  return true;
}

// Lines are written in the order of the table, so the search starts where the last one ended.
const RequestField* RequestParser::find_field() {
  for (size_t i = 0; i < kRequestFields.size(); ++i) {
    const size_t at = (next_field_ + i) % kRequestFields.size();
    if (kRequestFields[at].name == key_) return next_field_ = at + 1, &kRequestFields[at];
  }
  return nullptr;
}

void RequestParser::take_number(int64_t value) {
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

void RequestParser::take_text(std::string_view value) {
  if (const RequestField* field = find_field(); field != nullptr) {
    if (field->text != nullptr) (record_.*field->text).assign(value);
    good_ &= field->text != nullptr;
  } else {
    good_ &= take_named_text(value);
  }
}

// The texts that stand for something else; false: impossible.
bool RequestParser::take_named_text(std::string_view value) {
  if (key_ == "t") return value == "request";
  if (key_ == "status") {
    const auto status = status_from_name(value);
    record_.status = status.value_or(Status::failed);
    return status.has_value();
  }
  if (key_ == "token_source")
    record_.token_source = token_source_from_name(value).value_or(TokenSource::none);
  if (key_ == "prompt_source") record_.prompt_from_dataset = value == "dataset";
  if (key_ == "stamp") record_.stamp_kernel = value == "kernel";
  if (key_ == "text_crc") {
    const auto crc = parse_hex8(value);
    record_.has_text_crc = crc.has_value();
    record_.text_crc = crc.value_or(0);
  }
  return key_ != "seq" && key_ != "n";
}

std::vector<int64_t>* RequestParser::list_of(std::string_view key) {
  if (key == "gaps_us") return has_gaps_ = true, &gaps_;
  if (key == "k") return &tokens_;
  if (key == "coalesced") return &coalesced_;
  return key == "choice" ? &choices_ : nullptr;
}

// The side arrays must fit the number of events, else the line is not what a writer wrote.
bool RequestParser::build_timeline() {
  if (!has_gaps_) return tokens_.empty() && coalesced_.empty() && choices_.empty();
  const size_t events = gaps_.size() + 1;
  if (!tokens_.empty() && tokens_.size() != events) return false;
  if (!choices_.empty() && choices_.size() != events) return false;
  size_t next_coalesced = 0;
  int64_t at_us = 0;
  for (size_t i = 0; i < events; ++i) {
    if (i > 0) at_us += gaps_[i - 1];
    const bool coalesced =
        next_coalesced < coalesced_.size() && coalesced_[next_coalesced] == static_cast<int64_t>(i);
    next_coalesced += coalesced;
    record_.timeline.add(pool_, at_us, tokens_.empty() ? 1 : static_cast<uint32_t>(tokens_[i]),
                         {coalesced, choices_.empty() ? 0 : static_cast<uint32_t>(choices_[i])});
  }
  return next_coalesced == coalesced_.size();
}

}  // namespace tokometer

// One request line -> a RequestRecord. Private to core/metrics: nearly all of a record file is such lines, so
// they go through an event parser that allocates nothing once warm, and their long arrays through a loop of
// their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tokometer/json.hpp>
#include <vector>

#include "metrics/record_fields.hpp"

namespace tokometer {

// Unknown keys are skipped: a newer version may have written them.
class RequestParser : public tkm::JsonEvents {
 public:
  // Fills record() and line_number(); false: not a request line of the expected form.
  bool parse(std::string_view line);
  const RequestRecord& record() const { return record_; }
  uint64_t line_number() const { return number_; }

  // What the event parser calls.
  bool StartObject();
  bool EndObject(rapidjson::SizeType);
  bool StartArray();
  bool EndArray(rapidjson::SizeType);
  bool Key(const char* text, rapidjson::SizeType size, bool);
  bool String(const char* text, rapidjson::SizeType size, bool);
  bool Bool(bool value);
  bool Int(int value) { return Int64(value); }
  bool Uint(unsigned value) { return Int64(value); }
  bool Int64(int64_t value);
  bool Uint64(uint64_t value);
  bool Double(double value);

 private:
  void take_out(std::string_view key, std::vector<int64_t>& numbers);
  void put_back(std::string_view mark);
  const record_fields::RequestField* find_field();
  void take_number(int64_t value);
  void take_text(std::string_view value);
  bool take_named_text(std::string_view value);
  std::vector<int64_t>* list_of(std::string_view key);
  bool build_timeline();

  tkm::JsonReader reader_;
  BlockPool pool_;
  RequestRecord record_;
  std::string rest_;  // the line without its long arrays
  std::string key_;
  std::vector<int64_t> gaps_, tokens_, coalesced_, choices_, cut_gaps_, cut_tokens_;
  std::vector<int64_t>* list_ = nullptr;  // the array that the events are in
  size_t next_field_ = 0;
  int depth_ = 0;
  bool has_gaps_ = false, in_server_ = false, good_ = true;
  uint64_t number_ = 0;
};

// Eight lower-case digits: a flipped bit must not turn "a" into an equal "A".
std::optional<uint32_t> parse_hex8(std::string_view text);

}  // namespace tokometer

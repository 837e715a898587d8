// Protobuf's wire format, as much as KServe's messages need: fields appended to a text, fields read one by
// one. By hand, with the numbers of the published .proto: what the plugin's library writes is checked by
// something that is not that library. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tokometer::sim {

void put_varint(std::string& out, uint64_t number);
void put_number(std::string& out, uint32_t field, uint64_t value);       // varint; also of 0
void put_text(std::string& out, uint32_t field, std::string_view text);  // text, bytes, a message

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) : left_(message) {}

  // The next field; false at the end or where the message is broken.
  bool next();
  bool is_broken() const { return is_broken_; }
  uint32_t field() const { return field_; }
  uint64_t number() const { return number_; }      // varint and fixed fields
  std::string_view text() const { return text_; }  // length-delimited fields

 private:
  bool take_varint(uint64_t& value);
  bool take_fixed(size_t bytes);

  std::string_view left_, text_;
  uint32_t field_ = 0;
  uint64_t number_ = 0;
  bool is_broken_ = false;
};

}  // namespace tokometer::sim

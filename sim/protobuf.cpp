#include "sim/protobuf.hpp"

namespace tokometer::sim {
namespace {
constexpr uint32_t kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5;
}

void put_varint(std::string& out, uint64_t number) {
  for (; number >= 0x80; number >>= 7u) out += static_cast<char>((number & 0x7fu) | 0x80u);
  out += static_cast<char>(number);
}

void put_number(std::string& out, uint32_t field, uint64_t value) {
  put_varint(out, field << 3u | kVarint);
  put_varint(out, value);
}

void put_text(std::string& out, uint32_t field, std::string_view text) {
  put_varint(out, field << 3u | kLength);
  put_varint(out, text.size());
  out.append(text);
}

bool ProtobufReader::take_varint(uint64_t& value) {
  value = 0;
  for (uint32_t shift = 0; shift < 64 && !left_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80u) == 0) return true;
  }
  return !(is_broken_ = true);
}

bool ProtobufReader::take_fixed(size_t bytes) {
  if (left_.size() < bytes) return !(is_broken_ = true);
  number_ = 0;
  for (size_t i = bytes; i > 0; --i) number_ = number_ << 8u | static_cast<unsigned char>(left_[i - 1]);
  left_.remove_prefix(bytes);
  return true;
}

bool ProtobufReader::next() {
  uint64_t tag = 0, size = 0;
  if (is_broken_ || left_.empty() || !take_varint(tag)) return false;
  field_ = static_cast<uint32_t>(tag >> 3u);
  text_ = {};
  switch (tag & 7u) {
    case kVarint:
      return take_varint(number_);
    case kFixed64:
      return take_fixed(8);
    case kFixed32:
      return take_fixed(4);
    case kLength:
      if (!take_varint(size) || size > left_.size()) return !(is_broken_ = true);
      text_ = left_.substr(0, size);
      left_.remove_prefix(size);
      return true;
    default:
      return !(is_broken_ = true);
  }
}

}  // namespace tokometer::sim

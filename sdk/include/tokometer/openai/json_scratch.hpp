// Parses JSON into a tree whose memory is kept from parse to parse, so that parsing events allocates nothing
// once warm. One a processor instance, shared by its streams; a tree is valid until the next parse. Not for
// two threads at once.
//
// More tolerant than RapidJSON in two places where servers are sloppy and the meaning is plain: raw control
// characters inside strings, and halves of surrogate pairs (they become U+FFFD, and had_lone_surrogate() says
// so).
#pragma once

#include <tokometer/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tkm {

namespace json_detail {

inline bool is_high_surrogate(unsigned unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
inline bool is_low_surrogate(unsigned unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

// The code unit of "\uXXXX" at the start of `text`; nothing if it does not begin so.
inline std::optional<unsigned> escaped_unit(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  unsigned unit = 0;
  const char* const end = text.data() + 6;
  const auto read = std::from_chars(text.data() + 2, end, unit, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return unit;
}

// Copies `text` with what a strict parser refuses put right. True: there was a lone half of a surrogate pair.
inline bool repair(std::string_view text, std::string& out) {
  bool in_string = false, lone = false;
  out.clear();
  while (!text.empty()) {
    size_t used = 1;
    const char c = text.front();
    if (in_string && static_cast<unsigned char>(c) < 0x20) {
      append_json_escaped(out, text.substr(0, 1));
    } else if (in_string && c == '\\') {
      const unsigned unit = escaped_unit(text).value_or(0);
      const bool pair = is_high_surrogate(unit) && is_low_surrogate(escaped_unit(text.substr(6)).value_or(0));
      const bool half = !pair && (is_high_surrogate(unit) || is_low_surrogate(unit));
      used = pair ? 12 : half ? 6 : std::min<size_t>(2, text.size());
      out.append(half ? std::string_view("\\ufffd") : text.substr(0, used));
      lone = lone || half;
    } else {
      in_string = in_string != (c == '"');
      out.push_back(c);
    }
    text.remove_prefix(used);
  }
  return lone;
}

}  // namespace json_detail

class JsonScratch {
 public:
  // Null: not one JSON text (json.hpp says what counts as one).
  const Json* parse(std::string_view text) {
    lone_surrogate_ = false;
    const bool has_surrogates = text.find("\\ud") != text.npos || text.find("\\uD") != text.npos;
    if (!has_surrogates && populate(text)) return &*tree_;
    lone_surrogate_ = json_detail::repair(text, repaired_);
    return populate(repaired_) ? &*tree_ : nullptr;
  }
  bool had_lone_surrogate() const { return lone_surrogate_; }

 private:
  using Allocator = rapidjson::MemoryPoolAllocator<>;
  using Tree = rapidjson::GenericDocument<rapidjson::UTF8<>, Allocator, Allocator>;

  bool populate(std::string_view text) {
    tree_.reset();
    values_.Clear();
    stack_.Clear();
    tree_.emplace(&values_, 1024, &stack_);
    bool good = false;
    const auto generate = [&](Tree& handler) { return good = reader_.parse(text, handler); };
    tree_->Populate(generate);
    return good;
  }

  alignas(16) std::array<char, 64 << 10> value_bytes_;
  alignas(16) std::array<char, 32 << 10> stack_bytes_;
  Allocator values_{value_bytes_.data(), value_bytes_.size()};
  Allocator stack_{stack_bytes_.data(), stack_bytes_.size()};
  JsonReader reader_;
  std::optional<Tree> tree_;
  std::string repaired_;
  bool lone_surrogate_ = false;
};

}  // namespace tkm

#include "sim/tokens.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tokometer::sim {
namespace {

constexpr size_t kLongestPiece = 16;

bool is_space(char letter) {
  return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

uint64_t mix(uint64_t hash, std::string_view bytes) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  return hash ^ (hash >> 29u);
}
constexpr uint64_t kHashStart = 0xCBF29CE484222325;

template <class Take>
void each_piece(std::string_view text, Take take) {
  size_t at = 0;
  while (at < text.size()) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && end - at < kLongestPiece && !is_space(text[end])) ++end;
    take(text.substr(at, end - at));
    at = end;
  }
}

}  // namespace

void append_number(std::string& out, uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), static_cast<size_t>(end - digits.data()));
}

uint64_t count_tokens(std::string_view text) {
  uint64_t count = 0;
  each_piece(text, [&](std::string_view) { ++count; });
  return count;
}

std::vector<std::string_view> split_tokens(std::string_view text) {
  std::vector<std::string_view> pieces;
  each_piece(text, [&](std::string_view piece) { pieces.push_back(piece); });
  return pieces;
}

int32_t token_id(std::string_view piece) {
  return static_cast<int32_t>(mix(kHashStart, piece) % kVocabulary);
}

void append_token(std::string& out, uint32_t stream, uint32_t choice, uint64_t index) {
  out += " r";
  append_number(out, stream);
  if (choice != 0) out += 'c', append_number(out, choice);
  out += 't';
  append_number(out, index);
}

uint64_t PrefixCache::look_up(const std::vector<int32_t>& prompt, std::string_view salt) {
  uint64_t hash = mix(kHashStart, salt), cached = 0;
  bool all_known = true;
  for (size_t end = kBlock; end <= prompt.size(); end += kBlock) {
    const auto* bytes = reinterpret_cast<const char*>(prompt.data() + end - kBlock);
    hash = mix(hash, {bytes, kBlock * sizeof(int32_t)});
    const bool known = !known_.insert(hash).second;
    if (!known) order_.push_back(hash);
    all_known = all_known && known && end < prompt.size();
    if (all_known) cached = end;
  }
  while (order_.size() > capacity_) known_.erase(order_.front()), order_.pop_front();
  return cached;
}

void PrefixCache::clear() {
  known_.clear();
  order_.clear();
}

}  // namespace tokometer::sim

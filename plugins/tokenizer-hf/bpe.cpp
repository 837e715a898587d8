#include "bpe.hpp"

#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <queue>
#include <utility>

namespace tokenizer_hf {
namespace {

constexpr size_t kMostSeen = 100'000;      // words remembered; then all are forgotten
constexpr size_t kLongestSeenBytes = 128;  // longer words hardly come again

uint64_t key_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

size_t letter_bytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  if (byte < 0x80) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

// The lowest rank first, then the leftmost.
struct Candidate {
  uint32_t rank;
  int32_t at;
  int32_t id;
  bool operator<(const Candidate& other) const {
    return std::pair(rank, at) > std::pair(other.rank, other.at);
  }
};

}  // namespace

Bpe::Bpe(const Part& json)
    : fuses_unknown_(json.flag("fuse_unk", false)), ignores_merges_(json.flag("ignore_merges", false)) {
  if (json.has("type") && json.type() != "BPE") json.unknown_type("BPE");
  json.allow_only({"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                   "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (tkm::get_number(json.json(), "dropout") != 0)
    json.unknown("dropout, which is random, is not supported");
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (json.has(affix) && !json.text(affix).empty()) json.unknown(std::string(affix) + " is not supported");
  }
  read_vocabulary(json.member("vocab"));
  read_merges(json);
  read_bytes(json.flag("byte_fallback", false));
  if (!json.has("unk_token")) return;
  unknown_ = find(json.text("unk_token"));
  if (!unknown_) json.malformed("the unk_token " + in_quotes(json.text("unk_token")) + " is not in vocab");
}

void Bpe::read_vocabulary(const Part& json) {
  if (!json.json().IsObject() || json.json().ObjectEmpty()) json.malformed("must be an object with tokens");
  ids_.reserve(json.json().MemberCount());
  for (const auto& entry : json.json().GetObject()) {
    const auto id = id_of(entry.value);
    const std::string_view token = tkm::text_of(entry.name);
    if (!id) json.malformed("the id of " + in_quotes(token) + " must be a whole number from 0");
    ids_.insert_or_assign(std::string(token), *id);
    last_id_ = std::max(last_id_, *id);
  }
}

// "a b", or ["a", "b"]
std::pair<std::string_view, std::string_view> Bpe::pair_of(const Part& merge) const {
  const tkm::Json& json = merge.json();
  if (json.IsArray() && json.Size() == 2 && json[0].IsString() && json[1].IsString())
    return {tkm::text_of(json[0]), tkm::text_of(json[1])};
  if (json.IsString()) {
    const std::string_view text = tkm::text_of(json);
    const size_t blank = text.find(' ');
    if (blank != text.npos && text.find(' ', blank + 1) == text.npos)
      return {text.substr(0, blank), text.substr(blank + 1)};
  }
  merge.malformed("must be two tokens, as \"a b\" or [\"a\", \"b\"]");
}

void Bpe::read_merges(const Part& json) {
  uint32_t rank = 0;
  std::string whole;
  const auto merges = json.items("merges");
  merges_.reserve(merges.size());
  for (const Part& merge : merges) {
    const auto [left, right] = pair_of(merge);
    whole.assign(left).append(right);
    std::array<int32_t, 3> ids{};
    size_t known = 0;
    for (const std::string_view token : {left, right, std::string_view(whole)}) {
      const auto id = find(token);
      if (!id) merge.malformed(in_quotes(token) + " is not in vocab");
      ids[known++] = *id;
    }
    merges_.insert_or_assign(key_of(ids[0], ids[1]), Merge{rank++, ids[2]});
  }
}

void Bpe::read_bytes(bool fall_back) {
  if (!fall_back) return;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name{};
    std::snprintf(name.data(), name.size(), "<0x%02X>", byte);
    bytes_.push_back(find(name.data()).value_or(-1));
  }
}

std::optional<int32_t> Bpe::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const Bpe::Merge* Bpe::find_merge(int32_t left, int32_t right) const {
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

// A token for each letter; for one that is in no vocabulary its bytes, else the unknown token, else nothing.
void Bpe::split_letters(std::string_view word) {
  symbols_.clear();
  const auto add = [this](int32_t id) { symbols_.push_back({id, -1, -1, false}); };
  bool pending = false;  // an unknown token to come
  for (size_t at = 0, size = 0; at < word.size(); at += size) {
    size = letter_bytes(word[at]);
    const std::string_view letter = word.substr(at, size);
    if (const auto id = find(letter)) {
      if (std::exchange(pending, false)) add(*unknown_);
      add(*id);
      continue;
    }
    const auto token_of = [this](char c) { return bytes_[static_cast<unsigned char>(c)]; };
    const bool has_bytes = !bytes_.empty() && std::all_of(letter.begin(), letter.end(),
                                                          [&](char c) { return token_of(c) >= 0; });
    if (has_bytes) {
      for (const char c : letter) add(token_of(c));
    } else if (unknown_) {
      if (pending && !fuses_unknown_) add(*unknown_);
      pending = true;
    }
  }
  if (pending) add(*unknown_);
}

void Bpe::merge_all() {
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t left, int32_t right) {
    if (left < 0 || right < 0) return;
    const Merge* merge =
        find_merge(symbols_[static_cast<size_t>(left)].id, symbols_[static_cast<size_t>(right)].id);
    if (merge != nullptr) queue.push({merge->rank, left, merge->id});
  };
  const auto count = static_cast<int32_t>(symbols_.size());
  for (int32_t i = 0; i < count; ++i) {
    Symbol& symbol = symbols_[static_cast<size_t>(i)];
    symbol.previous = i - 1;
    symbol.next = i + 1 < count ? i + 1 : -1;
    consider(i, symbol.next);
  }
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols_[static_cast<size_t>(best.at)];
    if (left.merged_away || left.next < 0) continue;
    Symbol& right = symbols_[static_cast<size_t>(left.next)];
    const Merge* still = find_merge(left.id, right.id);
    if (still == nullptr || still->id != best.id) continue;  // a neighbour was merged meanwhile
    left.id = best.id;
    right.merged_away = true;
    left.next = right.next;
    if (left.next >= 0) symbols_[static_cast<size_t>(left.next)].previous = best.at;
    consider(left.previous, best.at);
    consider(best.at, left.next);
  }
}

void Bpe::encode_new(std::string_view word, std::vector<int32_t>& ids) {
  if (ignores_merges_) {
    if (const auto whole = find(word)) return ids.push_back(*whole);
  }
  split_letters(word);
  merge_all();
  for (const Symbol& symbol : symbols_) {
    if (!symbol.merged_away) ids.push_back(symbol.id);
  }
}

void Bpe::encode(const std::string& word, std::vector<int32_t>& ids) {
  if (const auto seen = seen_.find(word); seen != seen_.end()) {
    ids.insert(ids.end(), seen->second.begin(), seen->second.end());
    return;
  }
  const auto first = static_cast<ptrdiff_t>(ids.size());
  encode_new(word, ids);
  if (word.size() > kLongestSeenBytes) return;
  if (seen_.size() >= kMostSeen) seen_.clear();
  seen_.emplace(word, std::vector<int32_t>(ids.begin() + first, ids.end()));
}

}  // namespace tokenizer_hf

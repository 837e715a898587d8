// The section `model` of type BPE: the vocabulary, and the merges by which a word becomes tokens. Words seen
// before are remembered. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "part.hpp"

namespace tokenizer_hf {

class Bpe {
 public:
  // Throws where something is missing or not known.
  explicit Bpe(const Part& json);

  std::optional<int32_t> find(std::string_view token) const;
  int32_t last_id() const { return last_id_; }

  // Adds the ids of one word, which is valid UTF-8.
  void encode(const std::string& word, std::vector<int32_t>& ids);

 private:
  struct Merge {
    uint32_t rank;
    int32_t id;
  };
  struct Symbol {
    int32_t id;
    int32_t previous, next;  // -1: none
    bool merged_away;
  };

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class V>
  using ByText = std::unordered_map<std::string, V, TextHash, std::equal_to<>>;

  void read_vocabulary(const Part& json);
  void read_merges(const Part& json);
  std::pair<std::string_view, std::string_view> pair_of(const Part& merge) const;
  void read_bytes(bool fall_back);
  const Merge* find_merge(int32_t left, int32_t right) const;
  void split_letters(std::string_view word);
  void merge_all();
  void encode_new(std::string_view word, std::vector<int32_t>& ids);

  ByText<int32_t> ids_;
  std::unordered_map<uint64_t, Merge> merges_;
  std::vector<int32_t> bytes_;  // the tokens of bytes; empty: no fall-back; -1: that byte has none
  std::optional<int32_t> unknown_;
  bool fuses_unknown_, ignores_merges_;
  int32_t last_id_ = -1;

  std::vector<Symbol> symbols_;  // of the word at hand
  ByText<std::vector<int32_t>> seen_;
};

}  // namespace tokenizer_hf

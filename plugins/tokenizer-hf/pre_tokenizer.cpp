#include "pre_tokenizer.hpp"

#include <tokometer/plugin.hpp>

#include <array>
#include <optional>
#include <utility>

#include "split.hpp"

namespace tokenizer_hf {
namespace {

constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string utf8_below_0x800(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

// Bytes that print stand for themselves in Latin-1; the others follow from U+0100.
std::array<std::string, 256> make_byte_letters() {
  std::array<std::string, 256> letters;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    letters[byte] = utf8_below_0x800(prints ? byte : next++);
  }
  return letters;
}

class Split : public PreTokenizer {
 public:
  Split(Pattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void apply(Word word, std::vector<Word>& out) const override {
    std::vector<std::string_view> pieces;
    split(word.text, pattern_, behavior_, invert_, pieces);
    for (const std::string_view piece : pieces) {
      out.push_back({std::string(piece), word.at_start && piece.data() == word.text.data()});
    }
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

class ByteLevel : public PreTokenizer {
 public:
  explicit ByteLevel(const Part& json) : prefix_space_(json.flag("add_prefix_space", true)) {
    if (json.flag("use_regex", true)) pattern_.emplace(kByteLevelPattern);
  }
  void apply(Word word, std::vector<Word>& out) const override {
    if (prefix_space_ && !word.text.starts_with(' ')) word.text.insert(0, 1, ' ');
    size_t at = 0;
    while (pattern_ && at < word.text.size()) {
      const auto match = pattern_->find(word.text, at);
      if (!match) break;
      add(word, at, match->first, out);
      add(word, match->first, match->second, out);
      at = match->second;
    }
    add(word, at, word.text.size(), out);
  }

 private:
  static void add(const Word& word, size_t begin, size_t end, std::vector<Word>& out) {
    if (begin == end) return;
    Word& added = out.emplace_back();
    added.at_start = word.at_start && begin == 0;
    for (size_t i = begin; i < end; ++i) added.text += byte_letter(static_cast<unsigned char>(word.text[i]));
  }

  bool prefix_space_;
  std::optional<Regex> pattern_;
};

// Blanks become a letter of their own, which begins words.
class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const Part& json)
      : replacement_(json.text("replacement")),
        blank_(Pattern::literal(" ")),
        boundary_(Pattern::literal(replacement_)),
        splits_(json.flag("split", true)) {
    if (replacement_.empty()) json.malformed("the replacement is empty");
    const std::string_view scheme = json.has("prepend_scheme") ? json.text("prepend_scheme") : "always";
    if (scheme != "always" && scheme != "first" && scheme != "never")
      json.unknown("the prepend_scheme " + in_quotes(scheme) + " is not known");
    const bool prepends = json.flag("add_prefix_space", true) && scheme != "never";
    prepends_always_ = prepends && scheme == "always";
    prepends_first_ = prepends && scheme == "first";
  }
  void apply(Word word, std::vector<Word>& out) const override {
    word.text = blank_.replaced(word.text, replacement_);
    const bool prepends = prepends_always_ || (prepends_first_ && word.at_start);
    if (prepends && !word.text.starts_with(replacement_)) word.text.insert(0, replacement_);
    if (!splits_) return out.push_back(std::move(word));
    std::vector<std::string_view> pieces;
    split(word.text, boundary_, Behavior::merged_with_next, false, pieces);
    for (const std::string_view piece : pieces) {
      out.push_back({std::string(piece), word.at_start && piece.data() == word.text.data()});
    }
  }

 private:
  std::string replacement_;
  Pattern blank_, boundary_;
  bool splits_, prepends_always_ = false, prepends_first_ = false;
};

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(const Part& json) {
    for (const Part& each : json.items("pretokenizers")) all_.push_back(read_pre_tokenizer(each));
  }
  void apply(Word word, std::vector<Word>& out) const override {
    std::vector<Word> words, next;
    words.push_back(std::move(word));
    for (const auto& each : all_) {
      next.clear();
      for (Word& one : words) each->apply(std::move(one), next);
      words.swap(next);
    }
    for (Word& one : words) out.push_back(std::move(one));
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> all_;
};

std::unique_ptr<PreTokenizer> read_digits(const Part& json) {
  json.allow_only({"individual_digits"});
  const bool each = json.flag("individual_digits", false);
  return std::make_unique<Split>(Pattern::regex(R"(\p{N})"), each ? Behavior::isolated : Behavior::contiguous,
                                 false);
}

}  // namespace

const std::string& byte_letter(unsigned char byte) {
  static const std::array<std::string, 256> letters = make_byte_letters();
  return letters[byte];
}

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Part& json) {
  const std::string_view type = json.type();
  if (type == "Sequence") {
    json.allow_only({"pretokenizers"});
    return std::make_unique<Sequence>(json);
  }
  if (type == "Split") {
    json.allow_only({"pattern", "behavior", "invert"});
    return std::make_unique<Split>(Pattern(json.member("pattern")), behavior_of(json),
                                   json.flag("invert", false));
  }
  if (type == "ByteLevel") {
    json.allow_only({"add_prefix_space", "trim_offsets", "use_regex"});
    return std::make_unique<ByteLevel>(json);
  }
  if (type == "Metaspace") {
    json.allow_only({"replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
    return std::make_unique<Metaspace>(json);
  }
  if (type == "Digits") return read_digits(json);
  json.unknown_type("Sequence, Split, ByteLevel, Metaspace, Digits");
}

}  // namespace tokenizer_hf

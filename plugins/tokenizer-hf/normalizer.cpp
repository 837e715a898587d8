#include "normalizer.hpp"

#include <utf8proc.h>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "split.hpp"

namespace tokenizer_hf {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// NFC, NFD, NFKC, NFKD
class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(int options) : options_(options | UTF8PROC_STABLE) {}
  void apply(std::string& text) const override {
    if (is_ascii(text)) return;
    utf8proc_uint8_t* made = nullptr;
    const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &made,
                                   static_cast<utf8proc_option_t>(options_));
    if (size < 0) throw std::bad_alloc();  // the text is UTF-8: nothing else can go wrong
    text.assign(reinterpret_cast<const char*>(made), static_cast<size_t>(size));
    std::free(made);
  }

 private:
  int options_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string_view text) : text_(text) {}
  void apply(std::string& text) const override {
    if (!text.empty()) text.insert(0, text_);
  }

 private:
  std::string text_;
};

class Replace : public Normalizer {
 public:
  Replace(Pattern pattern, std::string_view content) : pattern_(std::move(pattern)), content_(content) {}
  void apply(std::string& text) const override { text = pattern_.replaced(text, content_); }

 private:
  Pattern pattern_;
  std::string content_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(const Part& json) {
    for (const Part& each : json.items("normalizers")) all_.push_back(read_normalizer(each));
  }
  void apply(std::string& text) const override {
    for (const auto& each : all_) each->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> all_;
};

int unicode_form(std::string_view type) {
  if (type == "NFC") return UTF8PROC_COMPOSE;
  if (type == "NFD") return UTF8PROC_DECOMPOSE;
  if (type == "NFKC") return UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
  if (type == "NFKD") return UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
  return 0;
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const Part& json) {
  const std::string_view type = json.type();
  if (const int form = unicode_form(type); form != 0) {
    json.allow_only({});
    return std::make_unique<UnicodeForm>(form);
  }
  if (type == "Sequence") {
    json.allow_only({"normalizers"});
    return std::make_unique<Sequence>(json);
  }
  if (type == "Prepend") {
    json.allow_only({"prepend"});
    return std::make_unique<Prepend>(json.text("prepend"));
  }
  if (type == "Replace") {
    json.allow_only({"pattern", "content"});
    return std::make_unique<Replace>(Pattern(json.member("pattern")), json.text("content"));
  }
  json.unknown_type("Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace");
}

}  // namespace tokenizer_hf

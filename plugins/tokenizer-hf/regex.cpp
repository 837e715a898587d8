#include "regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <tokometer/plugin.hpp>

#include <array>

#include "part.hpp"

namespace tokenizer_hf {
namespace {

constexpr size_t kFirstJitStackBytes = 32 * 1024, kMostJitStackBytes = 16 * 1024 * 1024;

// Insides of classes. PCRE2's own \s has U+180E beside these, its \w no marks.
constexpr std::string_view kSpace = R"(\t-\r\x{85}\p{Z})";
constexpr std::string_view kNoSpace = R"(\S\x{180e})";
constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  std::string run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        escape();
      } else if (in_class_) {
        inside_class(c);
      } else {
        outside(c);
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw tkm::unsupported("the pattern " + in_quotes(in_) + ": " + what + " is not supported");
  }
  bool follows(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  void copy(size_t bytes) {
    out_.append(in_.substr(at_, bytes));
    at_ += bytes;
  }

  void put_class(std::string_view inside, bool negated) {
    at_ += 2;
    if (in_class_) {
      out_.append(inside);
    } else {
      out_.append(negated ? "[^" : "[").append(inside).append("]");
    }
  }

  void escape() {
    if (at_ + 1 == in_.size()) refuse("a backslash at its end");
    const char c = in_[at_ + 1];
    constexpr std::string_view kSame = "rntfaexAzZ";
    if (c == 's' || (c == 'S' && !in_class_)) return put_class(kSpace, c == 'S');
    if (c == 'w' || (c == 'W' && !in_class_)) return put_class(kWord, c == 'W');
    if (c == 'p' || c == 'P') return property();
    if (c == 'S') return put_class(kNoSpace, false);
    const bool same = c == 'd' || c == 'D' || kSame.find(c) != kSame.npos;
    if (is_letter_or_digit(c) && !same) refuse(std::string("\\") + c);
    copy(2);
  }

  // \p{Han}: PCRE2 would take a script with its extensions.
  void property() {
    const size_t open = at_ + 2, close = in_.find('}', at_);
    if (open >= in_.size() || in_[open] != '{' || close == in_.npos) refuse("a property without braces");
    std::string_view name = in_.substr(open + 1, close - open - 1);
    out_.append(in_.substr(at_, 3));
    if (name.starts_with('^')) {
      out_.push_back('^');
      name.remove_prefix(1);
    }
    if (name.size() > 2) out_.append("sc:");
    out_.append(name).push_back('}');
    at_ = close + 1;
  }

  void inside_class(char c) {
    if (follows("&&")) refuse("&& in a class");
    if (follows("[:")) return copy(std::min(in_.find(":]", at_), in_.size() - 2) + 2 - at_);
    if (c == '[') refuse("a class inside a class");
    if (c == ']') in_class_ = false;
    copy(1);
  }

  void outside(char c) {
    if (c == '[') {
      in_class_ = true;
      copy(follows("[^") ? 2 : 1);
      if (follows("]")) refuse("a class that begins with ]");
    } else if (follows("}+")) {
      refuse("an interval with a + behind it");
    } else if (follows("(?")) {
      group();
    } else {
      copy(1);
    }
  }

  void group() {
    copy(2);
    while (at_ < in_.size() && (in_[at_] == 'i' || in_[at_] == '-')) copy(1);
    static constexpr std::array<std::string_view, 7> kKnown{":", ")", "=", "!", "<=", "<!", ">"};
    for (const std::string_view known : kKnown) {
      if (follows(known)) return copy(known.size());
    }
    refuse("(?" + std::string(in_.substr(at_, 1)));
  }

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
  bool in_class_ = false;
};

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

std::string to_pcre2(std::string_view pattern) {
  return Translator(pattern).run();
}

struct Regex::Code {
  pcre2_code* code = nullptr;
  pcre2_match_data* match = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_jit_stack* stack = nullptr;
};

void Regex::Free::operator()(Code* code) const {
  pcre2_jit_stack_free(code->stack);
  pcre2_match_context_free(code->context);
  pcre2_match_data_free(code->match);
  pcre2_code_free(code->code);
  delete code;
}

Regex::Regex(std::string_view pattern) : code_(new Code) {
  const std::string translated = to_pcre2(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Ruby's ^ and $ are those of lines.
  constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  code_->code = pcre2_compile(units(translated), translated.size(), kOptions, &error, &offset, nullptr);
  if (code_->code == nullptr) {
    throw tkm::unsupported("the pattern " + in_quotes(pattern) + " cannot be read: " + message_of(error));
  }
  uint32_t can_be_empty = 0;
  pcre2_pattern_info(code_->code, PCRE2_INFO_MATCHEMPTY, &can_be_empty);
  if (can_be_empty != 0) throw tkm::unsupported("the pattern " + in_quotes(pattern) + " can match nothing");
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // where there is no JIT, it is only slower
  code_->match = pcre2_match_data_create_from_pattern(code_->code, nullptr);
  code_->context = pcre2_match_context_create(nullptr);
  code_->stack = pcre2_jit_stack_create(kFirstJitStackBytes, kMostJitStackBytes, nullptr);
  if (code_->match == nullptr || code_->context == nullptr) throw std::bad_alloc();
  pcre2_jit_stack_assign(code_->context, nullptr, code_->stack);
}

std::optional<std::pair<size_t, size_t>> Regex::find(std::string_view text, size_t from) const {
  const int result = pcre2_match(code_->code, units(text), text.size(), from, PCRE2_NO_UTF_CHECK,
                                 code_->match, code_->context);
  if (result == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (result < 0) throw tkm::input_error("this text is too much for a pattern: " + message_of(result));
  const PCRE2_SIZE* match = pcre2_get_ovector_pointer(code_->match);
  return std::pair<size_t, size_t>(match[0], match[1]);
}

}  // namespace tokenizer_hf

// The regular expressions of tokenizer.json on PCRE2. They are written for Oniguruma with Ruby's syntax; what
// the two read differently is translated, or refused by name. Texts are valid UTF-8. Movable; one thread at a
// time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tokenizer_hf {

class Regex {
 public:
  // Throws tkm::Error (TKM_E_UNSUPPORTED) with what cannot be read.
  explicit Regex(std::string_view pattern);

  // The first match at or after `from`, as [begin, end) in bytes; not empty.
  std::optional<std::pair<size_t, size_t>> find(std::string_view text, size_t from) const;

 private:
  struct Code;
  struct Free {
    void operator()(Code* code) const;
  };
  std::unique_ptr<Code, Free> code_;
};

// The same pattern in PCRE2's syntax; throws as the constructor does.
std::string to_pcre2(std::string_view pattern);

}  // namespace tokenizer_hf

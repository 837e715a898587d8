#include "added_tokens.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <utility>

namespace tokenizer_hf {
namespace {

utf8proc_int32_t first_letter(std::string_view text) {
  utf8proc_int32_t letter = -1;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &letter);
  return letter;
}

std::string_view last_letter(std::string_view text) {
  size_t bytes = text.empty() ? 0 : 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[text.size() - bytes]) & 0xc0) == 0x80)
    ++bytes;
  return text.substr(text.size() - bytes);
}

// As regular expressions know them: \s and \w.
bool is_blank(utf8proc_int32_t letter) {
  if ((letter >= '\t' && letter <= '\r') || letter == 0x85) return true;
  const auto category = utf8proc_category(letter);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}
bool is_of_word(utf8proc_int32_t letter) {
  const auto category = utf8proc_category(letter);
  const bool joins = letter == 0x200c || letter == 0x200d;
  const bool circled = (letter >= 0x24b6 && letter <= 0x24e9) || (letter >= 0x1f130 && letter <= 0x1f189);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
         category == UTF8PROC_CATEGORY_PC || circled || joins;
}

bool stands_alone(std::string_view before, std::string_view after) {
  const std::string_view last = last_letter(before);
  return !(!last.empty() && is_of_word(first_letter(last))) &&
         !(!after.empty() && is_of_word(first_letter(after)));
}

size_t blanks_at_end(std::string_view text) {
  size_t bytes = 0;
  for (;;) {
    const std::string_view last = last_letter(text.substr(0, text.size() - bytes));
    if (last.empty() || !is_blank(first_letter(last))) return bytes;
    bytes += last.size();
  }
}

size_t blanks_at_start(std::string_view text) {
  size_t bytes = 0;
  while (bytes < text.size() && is_blank(first_letter(text.substr(bytes)))) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) ++bytes;
  }
  return bytes;
}

}  // namespace

AddedToken read_added_token(const Part& json) {
  json.allow_only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  const bool special = json.flag("special", false);
  return {.content = std::string(json.text("content")),
          .id = json.id("id"),
          .single_word = json.flag("single_word", false),
          .takes_left = json.flag("lstrip", false),
          .takes_right = json.flag("rstrip", false),
          .normalized = json.flag("normalized", !special)};
}

void TokenFinder::add(AddedToken token) {
  if (token.content.empty()) return;
  auto& list = by_first_byte_[static_cast<unsigned char>(token.content.front())];
  const auto shorter = [&](const AddedToken& other) { return other.content.size() < token.content.size(); };
  list.insert(std::find_if(list.begin(), list.end(), shorter), std::move(token));
}

const AddedToken* TokenFinder::match(std::string_view rest) const {
  for (const AddedToken& token : by_first_byte_[static_cast<unsigned char>(rest.front())]) {
    if (rest.starts_with(token.content)) return &token;
  }
  return nullptr;
}

std::vector<Piece> TokenFinder::cut(std::string_view text) const {
  std::vector<Piece> pieces;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = match(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->single_word && !stands_alone(text.substr(0, begin), text.substr(end))) continue;
    if (token->takes_left) begin = std::max(begin - blanks_at_end(text.substr(0, begin)), done);
    if (token->takes_right) end += blanks_at_start(text.substr(end));
    if (begin > done) pieces.push_back({text.substr(done, begin - done)});
    pieces.push_back({text.substr(begin, end - begin), token->id});
    done = end;  // where another token is among the blanks taken, what is behind it comes again: as in the
                 // library
  }
  if (done < text.size()) pieces.push_back({text.substr(done)});
  return pieces;
}

}  // namespace tokenizer_hf

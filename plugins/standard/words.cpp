#include "words.hpp"

#include <algorithm>
#include <cstddef>

namespace tokometer::embedded {
extern const std::string_view
    standard_words;  // words.txt: words for the beginning, an empty line, the others
}

namespace standard {
namespace {

void split(std::string_view text, std::vector<std::string_view>& words) {
  constexpr std::string_view kBlank = " \n";
  for (size_t begin = text.find_first_not_of(kBlank); begin != text.npos;) {
    const size_t end = std::min(text.find_first_of(kBlank, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlank, end);
  }
}

WordList read_words() {
  const std::string_view text = tokometer::embedded::standard_words;
  WordList list;
  split(text.substr(0, text.find("\n\n")), list.first);
  split(text, list.all);
  return list;
}

}  // namespace

const WordList& word_list() {
  static const WordList list = read_words();
  return list;
}

}  // namespace standard

#include "engine/text_survey.hpp"

#include <algorithm>

namespace tokometer {
namespace {

// Not inside of a character of several bytes.
size_t boundary(std::string_view text, size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
  return std::min(at, text.size());
}

// Where a text falls into two: in front of a blank, since tokens begin there.
size_t middle(std::string_view text) {
  const size_t blank = text.find(' ', text.size() / 2);
  return blank != std::string_view::npos ? blank : boundary(text, text.size() / 2);
}

}  // namespace

size_t count_words(std::string_view text) {
  size_t words = 0;
  bool inside = false;
  for (const char letter : text) {
    const bool blank = letter == ' ' || letter == '\n' || letter == '\t';
    if (!blank && !inside) ++words;
    inside = !blank;
  }
  return words;
}

std::string texts_of(const Sample& sample) {
  std::string all(sample.text().data, sample.text().size);
  for (const tkm_message& message : sample.messages()) {
    for (size_t at = 0; at < message.part_count; ++at) {
      if (message.parts[at].kind != TKM_PART_TEXT) continue;
      if (!all.empty()) all += '\n';
      all.append(message.parts[at].data.data, message.parts[at].data.size);
    }
  }
  return all;
}

std::string texts_of(const std::vector<std::shared_ptr<const Sample>>& samples, size_t bytes_of_each) {
  std::string all;
  for (const auto& sample : samples) {
    std::string text = texts_of(*sample);
    text.resize(boundary(text, bytes_of_each));
    all += (all.empty() ? "" : "\n") + text;
  }
  return all;
}

// The two halves have what stands around a text twice, the whole has it once.
Result<TextSurvey> survey(const ServerTokens& server, const std::string& text) {
  const size_t at = middle(text);
  const auto whole = server.count(text);
  if (!whole) return whole.errors();
  const auto begin = server.count(std::string_view(text).substr(0, at));
  if (!begin) return begin.errors();
  const auto end = server.count(std::string_view(text).substr(at));
  if (!end) return end.errors();
  TextSurvey found{.words = count_words(text), .bytes = text.size(), .tokens = *whole, .around = 0};
  found.around = std::max<int64_t>(*begin + *end - *whole, 0);
  found.tokens -= found.around;
  if (found.tokens <= 0)
    return Error{server.route() + ": no tokens in " + std::to_string(text.size()) + " bytes of text"};
  return found;
}

}  // namespace tokometer

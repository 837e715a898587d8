#include "base/secret.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <tokometer/json.hpp>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr std::string_view kMask = "***";

std::string json_escaped(std::string_view value) {
  std::string text;
  tkm::append_json_escaped(text, value);
  return text;
}

// As in a query: all but the unreserved characters of RFC 3986.
std::string url_encoded(std::string_view value, std::string_view hex) {
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos) {
      text.push_back(c);
    } else {
      text.push_back('%');
      text.push_back(hex[byte >> 4u]);
      text.push_back(hex[byte & 15u]);
    }
  }
  return text;
}

// Base64 of the value where `before` bytes (0 to 2) of something else stand in front of it, as in
// "user:password": only the characters that no neighbour can change.
std::string base64_inside(std::string_view value, size_t before) {
  const std::string text = base64(std::string(before, '\0') + std::string(value));
  const size_t first = before == 0 ? 0 : before + 1;
  const size_t whole = (before + value.size()) * 8 / 6;
  return text.substr(first, whole - first);
}

std::string to_base64url(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

// "token" is a credential only at the end of a name (not in max_tokens, token_ids), and not where it is about
// text.
bool is_token(std::string_view letters) {
  constexpr std::array<std::string_view, 14> kAboutText{"first",   "last",  "next", "stop", "eos",
                                                        "bos",     "pad",   "unk",  "sep",  "mask",
                                                        "special", "start", "end",  "per"};
  constexpr std::string_view kToken = "token";
  if (!letters.ends_with(kToken)) return false;
  letters.remove_suffix(kToken.size());
  return std::none_of(kAboutText.begin(), kAboutText.end(),
                      [&](std::string_view word) { return letters.ends_with(word); });
}

}  // namespace

void Redactor::add(const Secret& secret) {
  const std::string& value = secret.reveal();
  if (value.size() < kShortest) return;
  std::vector<std::string> forms{value, json_escaped(value), url_encoded(value, "0123456789ABCDEF"),
                                 url_encoded(value, "0123456789abcdef")};
  for (size_t before = 0; before < 3; ++before) {
    // A short fragment would also mask text that only looks alike.
    std::string inside = base64_inside(value, before);
    if (inside.size() < kShortest) continue;
    forms.push_back(to_base64url(inside));
    forms.push_back(std::move(inside));
  }
  for (std::string& form : forms) {
    if (std::find(forms_.begin(), forms_.end(), form) == forms_.end()) forms_.push_back(std::move(form));
  }
  std::stable_sort(forms_.begin(), forms_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

std::string Redactor::redact(std::string_view text) const {
  std::string result(text);
  for (const std::string& form : forms_) {
    for (size_t at = result.find(form); at != std::string::npos; at = result.find(form, at + kMask.size())) {
      result.replace(at, form.size(), kMask);
    }
  }
  return result;
}

bool is_secret_name(std::string_view name) {
  std::string letters;  // without separators
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) letters.push_back(static_cast<char>(std::tolower(byte)));
  }
  constexpr std::array<std::string_view, 7> kInside{"authorization", "apikey", "secret",    "password",
                                                    "passwd",        "cookie", "credential"};
  const bool inside = std::any_of(kInside.begin(), kInside.end(), [&](std::string_view word) {
    return letters.find(word) != std::string::npos;
  });
  return inside || letters.ends_with("accesskey") || letters.ends_with("privatekey") || is_token(letters);
}

}  // namespace tokometer

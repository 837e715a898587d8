#include "plugin/names.hpp"

#include <algorithm>

namespace tokometer {
namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name(std::string_view text, std::string_view also) {
  return !text.empty() && text.size() <= 64 && is_lower(text.front()) &&
         std::all_of(text.begin(), text.end(), [also](char c) {
           return is_lower(c) || is_digit(c) || also.find(c) != std::string_view::npos;
         });
}

}  // namespace

bool is_module_name(std::string_view text) {
  return is_name(text, "-");
}
bool is_component_name(std::string_view text) {
  return is_name(text, "_-");
}

bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_capability(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || is_digit(c) || std::string_view("._/-").find(c) != std::string_view::npos;
  });
}

}  // namespace tokometer

#include "config/environment.hpp"

#include "base/text.hpp"

namespace tokometer {
namespace {

bool is_variable_name(std::string_view name) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  const bool digit_first = !name.empty() && name[0] >= '0' && name[0] <= '9';
  return !name.empty() && !digit_first && name.find_first_not_of(kLetters) == std::string_view::npos;
}

// The inside of ${...}.
Result<std::string> value_of(std::string_view inside, const Environment& environment) {
  const size_t colon = inside.find(':');
  const std::string name(inside.substr(0, colon));
  const std::string_view rest = colon == std::string_view::npos ? "" : inside.substr(colon);
  const bool has_default = rest.starts_with(":-"), has_message = rest.starts_with(":?");
  if (!is_variable_name(name) || (!rest.empty() && !has_default && !has_message)) {
    return Error{"\"${" + escape_terminal(inside, 60) +
                 "}\" is not ${VAR}, ${VAR:-default} or ${VAR:?message}; write $$ for a dollar"};
  }
  const std::optional<std::string> value = environment(name);
  if (value && !is_valid_utf8(*value)) return Error{"environment variable " + name + " is not valid UTF-8"};
  if (value && (!value->empty() || rest.empty())) return *value;
  if (has_default) return std::string(rest.substr(2));
  std::string sentence = "environment variable " + name + " is not set";
  if (has_message && rest.size() > 2) sentence += ": " + escape_terminal(rest.substr(2));
  return Error{sentence};
}

}  // namespace

Result<std::string> replace_variables(std::string_view text, const Environment& environment) {
  std::string result;
  for (;;) {
    const size_t dollar = text.find('$');
    result += text.substr(0, dollar);
    if (dollar == std::string_view::npos) return result;
    text.remove_prefix(dollar);
    if (text.starts_with("${")) {
      const size_t end = text.find('}');
      if (end == std::string_view::npos) {
        return Error{"\"${\" without its \"}\"; write $$ for a dollar"};
      }
      auto value = value_of(text.substr(2, end - 2), environment);
      if (!value) return value;
      result += *value;
      text.remove_prefix(end + 1);
    } else {
      result += '$';
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
}

bool has_variable(std::string_view text) {
  for (size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 2)) {
    if (text.substr(at).starts_with("${")) return true;
    if (!text.substr(at).starts_with("$$")) --at;
  }
  return false;
}

std::string protect_dollars(std::string_view text) {
  std::string result;
  for (const char c : text) result.append(c == '$' ? 2 : 1, c);
  return result;
}

}  // namespace tokometer

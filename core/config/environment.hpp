// ${VAR}, ${VAR:-default}, ${VAR:?message} and $$ in one text. Used by expand.cpp alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace tokometer {

using Environment = std::function<std::optional<std::string>(const std::string&)>;

// The text with all variables replaced. Fails with a sentence: not set, not closed, no name.
// As in a shell, an empty variable counts as not set where a default or a message is given.
Result<std::string> replace_variables(std::string_view text, const Environment& environment);

// Does the text take anything from the environment?
bool has_variable(std::string_view text);

// The text so that replace_variables() gives it back: every dollar doubled.
std::string protect_dollars(std::string_view text);

}  // namespace tokometer

// The spelling rules of the plugin ABI for names, in one place. Pure functions.
#pragma once

#include <string_view>

namespace tokometer {

bool is_module_name(std::string_view text);     // [a-z][a-z0-9-]*, at most 64 bytes
bool is_component_name(std::string_view text);  // [a-z][a-z0-9_-]*, at most 64 bytes
bool is_version(std::string_view text);         // printable ASCII without blanks, 1 to 64 bytes
bool is_capability(std::string_view text);      // [a-z0-9._/-]+, at most 128 bytes

}  // namespace tokometer

// Times written as text, as ns: a decimal number, or a date with a time ("2023-11-16 18:17:03.9799600", also
// with T, Z and an offset). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace standard {

// A decimal number times `unit_ns`, exact to the ns; nothing for other texts, negative numbers and overflow.
std::optional<int64_t> decimal_ns(std::string_view text, int64_t unit_ns);
// Since 1970, UTC; without an offset the time is taken for UTC.
std::optional<int64_t> date_time_ns(std::string_view text);

}  // namespace standard

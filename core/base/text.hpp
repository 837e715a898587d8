// Small questions about text that many callers ask: nearest names for messages, durations and sizes with
// units, and the one escaper through which foreign text passes before a person sees it. Pure functions; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tokometer {

// The name that was probably meant: smallest edit distance (a swap of neighbours counts as one), at most a
// third of the word's length, at least 1. nullopt where nothing is near. Case is ignored.
std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> names);

// "200ms", "1.5s", "10m", "2h", also "us" and "ns". A unit is needed, no sign, no blanks; nullopt for
// anything else and for more than about 292 years.
std::optional<int64_t> parse_duration_ns(std::string_view text);

// "64MiB", "4KiB", "10B", decimal "1kB" (or KB), "1MB", "1GB" too; fractions as in "1.5GiB" if they give
// whole bytes.
std::optional<int64_t> parse_size_bytes(std::string_view text);

// The shortest text that parse_duration_ns reads back to the same value: "1.5s", "200ms", "2h".
std::string format_duration(int64_t ns);

// The shortest text that parse_size_bytes reads back to the same value: "64MiB", "1000B".
std::string format_size(int64_t bytes);

// Foreign text made safe for terminals, logs and messages: C0, C1, DEL, bidi and zero-width characters and
// bytes that are not UTF-8 become visible as \n, \x1b, \u202e. Longer results are cut on a character border,
// with "..." at the end; the result is never longer than max_bytes.
std::string escape_terminal(std::string_view foreign, size_t max_bytes = 256);

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view text);

// Without the "=" at the end.
std::string base64(std::string_view bytes);

}  // namespace tokometer

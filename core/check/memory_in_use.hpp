// Does a piece of work leave memory behind? Asked of the C library's allocator, so it sees what new and
// malloc gave to plugin and host alike, in a process with one thread.
#pragma once

#include <cstddef>
#include <functional>

namespace tokometer::check {

// Bytes that each round leaves behind, after some rounds to warm up; 0: none, or the allocator cannot tell
// (a sanitizer's).
size_t bytes_lost_per_round(const std::function<void()>& round);

}  // namespace tokometer::check

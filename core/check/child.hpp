// Runs one test function in a child process, so that a plugin that crashes, hangs or changes the process
// hurts nobody else. A fork and no exec: the caller has one thread and never loaded the plugin, so the copy
// is as clean as a new process, takes less than a millisecond, and works from any program, unit tests too.
#pragma once

#include <cstdint>
#include <functional>

#include "check/finding.hpp"

namespace tokometer::check {

// What `test` found. A child that dies of a signal is `crashed`, with the signal's name and the crash
// handler's last words (plugin/crash.hpp); one that ends too early, or not within time_limit_ns, failed. What
// it prints is thrown away. Whatever processes it started are ended with it.
Finding run_in_child(const std::function<Finding()>& test, int64_t time_limit_ns);

}  // namespace tokometer::check

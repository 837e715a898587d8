// A piece of work that may compute and allocate and nothing else. A seccomp filter lets memory calls through;
// the first other system call is noted and refused with ENOSYS. The filter cannot be taken away again, so
// this runs in a child process of its own. A clock read through the vDSO makes no system call and goes
// unseen.
#pragma once

#include <functional>

#include "check/finding.hpp"

namespace tokometer::check {

// `work` returns a finding of its own; a system call beats it: "made the system call openat". Skipped, with
// the reason, where the kernel or a sanitizer does not allow a filter.
Finding run_confined(const std::function<Finding()>& work);

}  // namespace tokometer::check

// Is the descriptor that a module returned what the ABI promises? Sizes, pointers, names, schemas and calls
// are checked here once, so that no later code has to. Components of kinds that this host does not know are
// passed over.
#pragma once

#include <tokometer/abi.h>

#include <vector>

#include "base/error.hpp"
#include "plugin/elf_note.hpp"

namespace tokometer {

// The components of known kinds, in the module's order. All faults at once, each a sentence without the
// file's path that begins with "plugin bug:". `module` may be null.
Result<std::vector<const tkm_component*>> check_descriptor(const tkm_module* module, const ModuleNote& note);

}  // namespace tokometer

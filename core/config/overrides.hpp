// One --set, --set-string or --set-file put into the tree. Used by expand.cpp alone.
#pragma once

#include "config/expand.hpp"

namespace tokometer {

// Fails for an option that is no assignment. A path that leads nowhere and a value that cannot be read are
// left in Document::faults.
Result<void> apply_option(const SetOption& option, Document& document);

}  // namespace tokometer

// One --set, --set-string or --set-file, or one value of a matrix, put into the tree. Used by config alone.
#pragma once

#include "config/expand.hpp"

namespace tokometer {

// Fails for an option that is no assignment. A path that leads nowhere and a value that cannot be read are
// left in Document::faults.
Result<void> apply_option(const SetOption& option, Document& document);

// The same for a value that is a node already. The sentence of the fault, or empty.
std::string put_value(Document& document, const std::string& path, Node value);

}  // namespace tokometer

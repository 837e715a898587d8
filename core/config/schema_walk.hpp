// One walk over a value and its schema side by side: unknown keys, defaults, formats, secrets. It writes the
// canonical and the resolved form; types and bounds are left to the validator. Used by schema.cpp alone.
#pragma once

#include <set>
#include <string_view>
#include <tokometer/json.hpp>

#include "config/schema.hpp"
#include "config/validator.hpp"
#include "config/yaml.hpp"

namespace tokometer {

// Fills `out`. The places whose faults are told already, or for which the schema's bounds are not meant
// ("off").
std::set<Validator::Pointer> walk_schema(const Node& value, const tkm::Json& schema, Checked& out);

// A schema's members by name; nullptr: it has none.
const tkm::Json* properties_of(const tkm::Json& schema);

// The schema of all members that "properties" does not name; nullptr: there are none, or they are free.
const tkm::Json* additional_of(const tkm::Json& schema);

}  // namespace tokometer

// The words of a fault, made from the schema at the place where it is: "must be a number > 0", "(got
// "fast")". Used by config alone.
#pragma once

#include <string>
#include <string_view>
#include <tokometer/json.hpp>
#include <vector>

#include "config/yaml.hpp"

namespace tokometer {

// What the schema asks for: "a number from 0 to 1", "one of "queue", "drop"".
std::string expectation(const tkm::Json& schema);

// Does a canonical value break the type, enum, bounds or lengths of the schema? Members and items are not
// looked at.
bool breaks(const tkm::Json& schema, const tkm::Json& value);

// "must be a number > 0 (got "fast")", with the nearest choice where there is one.
std::string must_be(const tkm::Json& schema, const Node& found);

// "(got "fast")", "(got 5)", "(got a list)"; a value from a variable with a secret's name is not shown.
std::string got(const Node& found);

// "unknown key; did you mean "rate"?", or the known keys where none is near and they are few.
std::string unknown_key(std::string_view key, const std::vector<std::string>& known);

// The types that a canonical value may have; empty: all. A format that stands for a number says so: "number".
std::vector<std::string> types_of(const tkm::Json& schema);

// May a duration be switched off ("off", or false)? It may where the schema lists the type "boolean" beside.
bool may_be_off(const tkm::Json& schema);

}  // namespace tokometer

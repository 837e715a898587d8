// How one tree goes over another, and short forms written in full so that they can be merged. Used by config
// alone.
#pragma once

#include <string_view>

#include "config/yaml.hpp"

namespace tokometer {

// What the position of a value from the command line begins with.
inline constexpr std::string_view kSetPrefix = "--set ";

// An empty map that stands where `place` stands.
Node map_at(const Node& place);

// `processor: vllm` is short for {use: vllm}, `target: sim` for {sim: {}}.
void write_short_forms_in_full(Node& root);

// Puts a member into a map, over what has its name. What it makes meaningless is dropped: another `use` has
// other options (those of the command line stay), target.url and target.sim stand in place of each other.
void put_member(Node& map, Node value);

// Maps merge, everything else is replaced. Positions go with the values.
void merge_over(Node& base, const Node& over);

}  // namespace tokometer

// Text for `tokometer plugin list` and `tokometer plugin describe`; cli prints what these return.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/component.hpp"
#include "plugin/registry.hpp"

namespace tokometer {

// A line for each plugin file: module, version, ABI, file, and what shadows or breaks it; then the folders
// searched.
std::string render_plugin_list(const std::vector<ModuleInfo>& modules, const SearchPath& search_path);

// What it is, its capabilities, and a table of its options: name, type, default, help.
std::string render_component_table(const Component& component);

// A commented skeleton of its section of a run file: required options to fill in, optional ones commented
// out.
std::string render_component_yaml(const Component& component);

// The same facts and the schema as one JSON object.
std::string render_component_json(const Component& component);

}  // namespace tokometer

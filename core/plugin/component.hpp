// One processor, dataset or load pattern of a loaded module, and what the manifest says about its file.
// Made by the loader after every check passed. Lives until the process ends, at one address: nothing is ever
// unloaded, so the names below are views into the plugin's static data.
#pragma once

#include <tokometer/abi.h>

#include <string>
#include <string_view>
#include <vector>

#include "plugin/calls.hpp"

namespace tokometer {

struct Component {
  const tkm_component*
      entry;  // static data of the plugin; ids, schema, capabilities and ops have been validated
  const tkm_module* module;
  std::string path;      // absolute real path of the .so
  std::string sha256;    // 64 hex digits, of the bytes that were checked before loading
  std::string build_id;  // hex; empty: linked without one
  CalledPlugin called;   // what a crash line or a slow-call warning says

  bool has_capability(std::string_view capability) const;
  std::string_view name() const { return {entry->id.data, entry->id.size}; }
  std::string_view module_name() const { return {module->name.data, module->name.size}; }
  std::string_view version() const { return {module->version.data, module->version.size}; }
  std::string_view summary() const { return {entry->summary.data, entry->summary.size}; }
  // JSON Schema of the options; one that allows none where the plugin gave an empty text.
  std::string_view config_schema() const;
  int32_t kind() const { return entry->kind; }
};

// "processor", "dataset", "load pattern"; "component" for a kind that this host does not know.
std::string_view kind_name(int32_t kind);

}  // namespace tokometer

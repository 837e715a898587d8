// From a name in the run file to a component: "poisson", "vllm", "acme/replay", or an absolute path that ends
// in ".so". Main thread only. Opens only files that are named. Components stay valid until the process ends.
//
//   Registry registry(Registry::default_search_path({.plugin_dirs = {"/opt/p"}}));
//   auto found = registry.find(TKM_KIND_DATASET, "sharegpt");   // Result<const Component*>
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "plugin/component.hpp"
#include "plugin/elf_note.hpp"

namespace tokometer {

struct SearchDirectory {
  std::string path;    // absolute
  std::string origin;  // "--plugin-dir", "TOKOMETER_PLUGIN_PATH", "home", "installation"
};

struct SearchPath {
  std::vector<SearchDirectory> directories;  // the first that has the file wins
  bool trust = false;  // --trust-plugin-dir: no owner and permission checks; goes into the manifest
};

struct SearchOptions {
  std::vector<std::string> plugin_dirs = {};  // --plugin-dir, in order
  bool trust = false;                         // --trust-plugin-dir
};

// One plugin file as its ELF note describes it; nothing of it was loaded.
struct ModuleInfo {
  std::string name;  // module name = file name without ".so"
  std::string path;
  std::string origin;       // of the folder
  ModuleNote note;          // default-made where `problem` says why
  std::string shadowed_by;  // path of the file that wins; empty: this one is used
  std::string problem;      // why it cannot be loaded; empty: nothing found by the checks before loading
};

class Registry {
 public:
  explicit Registry(SearchPath search_path);

  // --plugin-dir, then TOKOMETER_PLUGIN_PATH (secure_getenv, ":" between), ~/.local/lib/tokometer/plugins-1,
  // and ../lib/tokometer/plugins-1 beside the running program. Never the working directory: relative entries
  // of the variable are left out, those of --plugin-dir are made absolute.
  static SearchPath default_search_path(const SearchOptions& options);

  // kind: TKM_KIND_*. The module is loaded on first use. An error is a sentence for the user: not found (with
  // the folders and the nearest name), not loadable (with the file), or of another kind.
  Result<const Component*> find(int32_t kind, std::string_view use);

  // For `plugin describe`: the components that answer to `use`, of whatever kind, or all of the module `use`.
  Result<std::vector<const Component*>> find_any(std::string_view use);

  // Every plugin file on the search path, shadowed and broken ones too, by name; reads notes only.
  std::vector<ModuleInfo> list() const;

  const SearchPath& search_path() const { return search_path_; }

 private:
  using Components = std::vector<Component>;
  // Null: no folder has a file of that name.
  Result<const Components*> open_module(std::string_view module);
  Result<const Components*> open_file(const std::string& path);
  Result<const Component*> find_in_file(int32_t kind, const std::string& path);
  std::vector<std::string> names_near(int32_t kind) const;
  Error not_found(int32_t kind, std::string_view module) const;

  SearchPath search_path_;
  std::vector<const Components*> opened_;  // by this registry: their components help with names
  bool lacks_standard_ = false;            // looked for standard.so and did not find it
};

}  // namespace tokometer

// A plugin file becomes a loaded module: checks on the open file, ELF note, dlopen through Boost.DLL,
// descriptor. Called by the registry on the main thread. A module is never unloaded, and one inode is one
// module: asking again, by whatever path, gives the same components.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "plugin/component.hpp"
#include "plugin/elf_note.hpp"

namespace tokometer {

enum class Trust { check, skip };  // skip: --trust-plugin-dir

// The note of a file, after the owner and permission checks. Runs no code of the file.
Result<ModuleNote> inspect_library(const std::filesystem::path& path, Trust trust);

// The components of the file, of the kinds this host knows, in the module's order. Errors name the file.
Result<const std::vector<Component>*> load_library(const std::filesystem::path& path, Trust trust);

}  // namespace tokometer

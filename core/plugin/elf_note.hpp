// What a plugin file says about itself before any of its code runs: the note .note.tokometer of the plugin
// ABI. A bounded reader of its own: the file may be cut, hostile, or no ELF file at all, and nothing is ever
// mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/error.hpp"

namespace tokometer {

struct ModuleNote {
  uint32_t major = 0, minor = 0;
  uint32_t min_host_minor = 0;  // the host must speak at least this minor version
  uint32_t draft = 0;           // 0: a released ABI; else it must match exactly
  std::string module, version;
  std::string build_id;  // hex, from .note.gnu.build-id; empty: none
};

// Exactly `size` bytes at `offset`, or nothing (past the end, or a read error).
using ReadAt = std::function<std::optional<std::string>(uint64_t offset, size_t size)>;

// Errors (messages without the path): not a shared object for this machine; no note; a damaged note.
Result<ModuleNote> read_module_note(const ReadAt& read_at, uint64_t file_size);

// Errors: built for another major version or draft, or for a newer host.
Result<void> check_abi(const ModuleNote& note);

}  // namespace tokometer

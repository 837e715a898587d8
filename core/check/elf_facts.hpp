// What a shared object exports and imports, read from the file without loading it. Bounded: the file may be
// damaged, though the loader's own reader (plugin/elf_note.hpp) has seen it before.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/elf_note.hpp"

namespace tokometer::check {

struct ElfFacts {
  std::vector<std::string> exported;  // defined, global or weak
  std::vector<std::string> unique;    // defined STB_GNU_UNIQUE: one in the whole process, for all plugins
  std::vector<std::string> imported;
  bool has_executable_stack = false;
  bool has_text_relocations = false;
};

std::optional<ElfFacts> read_elf_facts(const ReadAt& read_at);

}  // namespace tokometer::check

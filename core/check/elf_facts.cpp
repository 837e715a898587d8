#include "check/elf_facts.hpp"

#include <elf.h>

#include <cstring>
#include <string_view>

namespace tokometer::check {
namespace {

constexpr uint64_t kMaxTableBytes = uint64_t{64} << 20U;

template <class T>
std::vector<T> read_table(const ReadAt& read_at, uint64_t offset, uint64_t bytes) {
  std::vector<T> table;
  if (bytes > kMaxTableBytes) return table;
  const auto text = read_at(offset, bytes / sizeof(T) * sizeof(T));
  if (!text) return table;
  table.resize(text->size() / sizeof(T));
  if (!table.empty()) std::memcpy(table.data(), text->data(), text->size());
  return table;
}

void add_symbol(const Elf64_Sym& symbol, const std::string& names, ElfFacts& facts) {
  if (symbol.st_name == 0 || symbol.st_name >= names.size()) return;
  std::string name(names.c_str() + symbol.st_name);
  const unsigned char binding = ELF64_ST_BIND(symbol.st_info);
  if (symbol.st_shndx == SHN_UNDEF) {
    facts.imported.push_back(std::move(name));
  } else if (symbol.st_shndx == SHN_ABS) {
    return;  // a version's name
  } else if (binding == STB_GNU_UNIQUE) {
    facts.unique.push_back(std::move(name));
  } else if (binding == STB_GLOBAL || binding == STB_WEAK) {
    facts.exported.push_back(std::move(name));
  }
}

void read_symbols(const ReadAt& read_at, const std::vector<Elf64_Shdr>& sections, ElfFacts& facts) {
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections.size()) continue;
    const Elf64_Shdr& strings = sections[section.sh_link];
    if (strings.sh_size > kMaxTableBytes) continue;
    const std::string names = read_at(strings.sh_offset, strings.sh_size).value_or("");
    for (const Elf64_Sym& symbol : read_table<Elf64_Sym>(read_at, section.sh_offset, section.sh_size)) {
      add_symbol(symbol, names, facts);
    }
  }
}

bool has_text_relocations(const ReadAt& read_at, const Elf64_Phdr& dynamic) {
  for (const Elf64_Dyn& entry : read_table<Elf64_Dyn>(read_at, dynamic.p_offset, dynamic.p_filesz)) {
    if (entry.d_tag == DT_TEXTREL) return true;
    if (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_TEXTREL) != 0) return true;
  }
  return false;
}

}  // namespace

std::optional<ElfFacts> read_elf_facts(const ReadAt& read_at) {
  const auto heads = read_table<Elf64_Ehdr>(read_at, 0, sizeof(Elf64_Ehdr));
  if (heads.empty()) return std::nullopt;
  const Elf64_Ehdr& head = heads.front();
  ElfFacts facts;
  for (const Elf64_Phdr& segment :
       read_table<Elf64_Phdr>(read_at, head.e_phoff, uint64_t{head.e_phnum} * sizeof(Elf64_Phdr))) {
    if (segment.p_type == PT_GNU_STACK) facts.has_executable_stack |= (segment.p_flags & PF_X) != 0;
    if (segment.p_type == PT_DYNAMIC) facts.has_text_relocations |= has_text_relocations(read_at, segment);
  }
  const auto sections =
      read_table<Elf64_Shdr>(read_at, head.e_shoff, uint64_t{head.e_shnum} * sizeof(Elf64_Shdr));
  if (sections.empty()) return std::nullopt;
  read_symbols(read_at, sections, facts);
  return facts;
}

}  // namespace tokometer::check

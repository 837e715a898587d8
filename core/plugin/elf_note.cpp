#include "plugin/elf_note.hpp"

#include <elf.h>
#include <tokometer/abi.h>

#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plugin/names.hpp"

namespace tokometer {
namespace {

// More than any sane plugin has; a larger count is damage or malice.
constexpr size_t kMaxHeaders = 4096;
constexpr size_t kMaxNoteBytes = 64 * 1024;
constexpr size_t kMaxNameBytes = 64;

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "name this machine's e_machine here"
#endif

Error not_for_this_machine() {
  return {"not a shared object for this machine"};
}
Error damaged() {
  return {"its .note.tokometer is damaged; build the plugin again"};
}

template <class T>
std::optional<T> read_struct(const ReadAt& read_at, uint64_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto bytes = read_at(offset, sizeof(T));
  if (!bytes) return std::nullopt;
  T value;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

template <class T>
std::optional<std::vector<T>> read_table(const ReadAt& read_at, uint64_t offset, size_t count) {
  const auto bytes = read_at(offset, count * sizeof(T));
  if (!bytes) return std::nullopt;
  std::vector<T> table(count);
  if (count > 0) std::memcpy(table.data(), bytes->data(), bytes->size());
  return table;
}

bool is_shared_object_here(const Elf64_Ehdr& head) {
  return std::memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS64 &&
         head.e_ident[EI_DATA] == ELFDATA2LSB && head.e_ident[EI_VERSION] == EV_CURRENT &&
         head.e_type == ET_DYN && head.e_machine == kMachine;
}

bool lies_within(uint64_t offset, uint64_t size, uint64_t file_size) {
  return offset <= file_size && size <= file_size - offset;
}

// The loader maps these and would die of SIGBUS on a file that was cut.
bool segments_are_complete(const ReadAt& read_at, const Elf64_Ehdr& head, uint64_t file_size) {
  if (head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > kMaxHeaders) return false;
  const auto segments = read_table<Elf64_Phdr>(read_at, head.e_phoff, head.e_phnum);
  if (!segments) return false;
  for (const Elf64_Phdr& segment : *segments) {
    if (!lies_within(segment.p_offset, segment.p_filesz, file_size)) return false;
  }
  return true;
}

struct Sections {
  std::vector<Elf64_Shdr> headers;
  std::string names;  // the section name table
};

std::optional<Sections> read_sections(const ReadAt& read_at, const Elf64_Ehdr& head) {
  Sections sections;
  if (head.e_shoff == 0 || head.e_shnum == 0) return sections;
  if (head.e_shentsize != sizeof(Elf64_Shdr) || head.e_shnum > kMaxHeaders) return std::nullopt;
  auto headers = read_table<Elf64_Shdr>(read_at, head.e_shoff, head.e_shnum);
  if (!headers || head.e_shstrndx >= headers->size()) return std::nullopt;
  const Elf64_Shdr& names = (*headers)[head.e_shstrndx];
  if (names.sh_type == SHT_NOBITS || names.sh_size > kMaxHeaders * kMaxNameBytes) return std::nullopt;
  auto text = read_at(names.sh_offset, names.sh_size);
  if (!text) return std::nullopt;
  return Sections{std::move(*headers), std::move(*text)};
}

const Elf64_Shdr* find_section(const Sections& sections, std::string_view name) {
  for (const Elf64_Shdr& header : sections.headers) {
    if (header.sh_name >= sections.names.size()) continue;
    const std::string_view rest = std::string_view(sections.names).substr(header.sh_name);
    if (rest.substr(0, rest.find('\0')) == name && header.sh_type != SHT_NOBITS) return &header;
  }
  return nullptr;
}

// The content of the first note of this owner and type in a section's bytes.
std::optional<std::string_view> find_note(std::string_view bytes, std::string_view owner, uint32_t type) {
  const auto padded = [](size_t size) { return (size + 3) & ~size_t{3}; };
  while (bytes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr head;
    std::memcpy(&head, bytes.data(), sizeof head);
    bytes.remove_prefix(sizeof head);
    if (padded(head.n_namesz) > bytes.size()) return std::nullopt;
    std::string_view name = bytes.substr(0, head.n_namesz);
    bytes.remove_prefix(padded(head.n_namesz));
    if (head.n_descsz > bytes.size()) return std::nullopt;
    if (!name.empty() && name.back() == '\0') name.remove_suffix(1);
    if (name == owner && head.n_type == type) return bytes.substr(0, head.n_descsz);
    bytes.remove_prefix(std::min(padded(head.n_descsz), bytes.size()));
  }
  return std::nullopt;
}

std::optional<std::string> read_note(const ReadAt& read_at, const Elf64_Shdr& section, std::string_view owner,
                                     uint32_t type) {
  if (section.sh_size > kMaxNoteBytes) return std::nullopt;
  const auto bytes = read_at(section.sh_offset, section.sh_size);
  if (!bytes) return std::nullopt;
  const auto content = find_note(*bytes, owner, type);
  if (!content) return std::nullopt;
  return std::string(*content);
}

std::string build_id(const ReadAt& read_at, const Sections& sections) {
  const Elf64_Shdr* section = find_section(sections, ".note.gnu.build-id");
  if (section == nullptr) return {};
  const auto content = read_note(read_at, *section, ELF_NOTE_GNU, NT_GNU_BUILD_ID);
  if (!content || content->size() > kMaxNameBytes) return {};
  std::string hex;
  for (const char byte : *content) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4u];
    hex += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15u];
  }
  return hex;
}

// "module=NAME\nversion=TEXT\n"; other keys are for later hosts.
std::string line_value(std::string_view lines, std::string_view key) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    if (line.substr(0, key.size()) == key) return std::string(line.substr(key.size()));
  }
  return {};
}

Result<ModuleNote> parse_note(std::string_view content) {
  uint32_t words[4];
  if (content.size() < sizeof words) return damaged();
  std::memcpy(words, content.data(), sizeof words);
  std::string_view lines = content.substr(sizeof words);
  lines = lines.substr(0, lines.find('\0'));
  ModuleNote note{
      words[0], words[1], words[2], words[3], line_value(lines, "module="), line_value(lines, "version="),
      {}};
  // Another major version may word its lines differently; check_abi() refuses it with its number.
  if (note.major != TKM_ABI_MAJOR) return note;
  if (!is_module_name(note.module) || !is_version(note.version)) return damaged();
  return note;
}

std::string version_text(uint32_t major, uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

std::string draft_text(uint32_t draft) {
  const std::string abi = "plugin ABI " + std::to_string(TKM_ABI_MAJOR);
  return draft == 0 ? abi + " (released)" : abi + " draft " + std::to_string(draft);
}

}  // namespace

Result<ModuleNote> read_module_note(const ReadAt& read_at, uint64_t file_size) {
  const auto head = read_struct<Elf64_Ehdr>(read_at, 0);
  if (!head || !is_shared_object_here(*head)) return not_for_this_machine();
  if (!segments_are_complete(read_at, *head, file_size)) return not_for_this_machine();
  const auto sections = read_sections(read_at, *head);
  if (!sections) return not_for_this_machine();

  const Elf64_Shdr* section = find_section(*sections, ".note.tokometer");
  if (section == nullptr) return Error{"has no .note.tokometer: not a tokometer plugin"};
  const auto content = read_note(read_at, *section, "tokometer", 1);
  if (!content) return damaged();
  auto note = parse_note(*content);
  if (note) note->build_id = build_id(read_at, *sections);
  return note;
}

Result<void> check_abi(const ModuleNote& note) {
  constexpr uint32_t kMajor = TKM_ABI_MAJOR, kMinor = TKM_ABI_MINOR, kDraft = TKM_ABI_DRAFT;
  if (note.major != kMajor) {
    return Error{"built for plugin ABI " + std::to_string(note.major) + "; this program speaks ABI " +
                 std::to_string(kMajor)};
  }
  if (note.draft != kDraft) {
    return Error{"built for " + draft_text(note.draft) + "; this program speaks " + draft_text(kDraft) +
                 "; build the plugin again with its tokometer-dev"};
  }
  if (note.min_host_minor > kMinor) {
    return Error{"needs plugin ABI " + version_text(note.major, note.min_host_minor) +
                 "; this program speaks " + version_text(kMajor, kMinor) + "; install a newer tokometer"};
  }
  return {};
}

}  // namespace tokometer

#include "plugin/elf_note.hpp"

#include <elf.h>

#include <cstring>
#include <optional>
#include <vector>

#include "fixtures.hpp"

namespace tokometer {
namespace {

using fixtures::good, fixtures::read_bytes;

constexpr const char* kNotForUs = "not a shared object for this machine";
constexpr const char* kNoNote = "has no .note.tokometer: not a tokometer plugin";
constexpr const char* kDamaged = "its .note.tokometer is damaged; build the plugin again";

Result<ModuleNote> note_of(const std::string& bytes) {
  const ReadAt read_at = [&](uint64_t offset, size_t size) -> std::optional<std::string> {
    if (offset > bytes.size() || size > bytes.size() - offset) return std::nullopt;
    return bytes.substr(offset, size);
  };
  return read_module_note(read_at, bytes.size());
}

// "" or the error.
std::string complaint(const std::string& bytes) {
  const auto note = note_of(bytes);
  return note ? "" : note.error().message;
}

std::string plugin_bytes() {
  return read_bytes(good("plain-c"));
}

template <class T>
void patch(std::string& bytes, size_t offset, T value) {
  REQUIRE(offset + sizeof value <= bytes.size());
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}
template <class T>
T peek(const std::string& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Offset of the section header of this name.
size_t section_header(const std::string& bytes, const std::string& name) {
  const auto head = peek<Elf64_Ehdr>(bytes, 0);
  const auto names = peek<Elf64_Shdr>(bytes, head.e_shoff + head.e_shstrndx * sizeof(Elf64_Shdr));
  for (size_t i = 0; i < head.e_shnum; ++i) {
    const size_t at = head.e_shoff + i * sizeof(Elf64_Shdr);
    if (bytes.c_str() + names.sh_offset + peek<Elf64_Shdr>(bytes, at).sh_name == name) return at;
  }
  FAIL("no section " << name);
  return 0;
}

TEST_CASE("the note of a good plugin") {
  const auto note = note_of(plugin_bytes());
  REQUIRE(note.ok());
  CHECK(note->module == "plain-c");
  CHECK(note->version == "1.2.3");
  CHECK(note->major == TKM_ABI_MAJOR);
  CHECK(note->minor == TKM_ABI_MINOR);
  CHECK(note->draft == TKM_ABI_DRAFT);
  CHECK(check_abi(*note).ok());
  CHECK(note->build_id.find_first_not_of("0123456789abcdef") == std::string::npos);
}

TEST_CASE("files that are no shared object for this machine") {
  std::string bytes = plugin_bytes();
  SUBCASE("empty") {
    bytes.clear();
  }
  SUBCASE("text") {
    bytes = "#!/bin/sh\necho this is not a plugin, however long its text may be, padding, padding\n";
  }
  SUBCASE("wrong machine") {
    patch<uint16_t>(bytes, offsetof(Elf64_Ehdr, e_machine), EM_S390);
  }
  SUBCASE("32 bits") {
    bytes[EI_CLASS] = ELFCLASS32;
  }
  SUBCASE("big endian") {
    bytes[EI_DATA] = ELFDATA2MSB;
  }
  SUBCASE("an object file") {
    patch<uint16_t>(bytes, offsetof(Elf64_Ehdr, e_type), ET_REL);
  }
  SUBCASE("segments outside the file") {
    patch<uint64_t>(bytes, offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 8);
  }
  SUBCASE("a segment longer than the file") {
    const auto at = peek<Elf64_Ehdr>(bytes, 0).e_phoff + offsetof(Elf64_Phdr, p_filesz);
    patch<uint64_t>(bytes, at, UINT64_MAX);
  }
  SUBCASE("too many segments") {
    patch<uint16_t>(bytes, offsetof(Elf64_Ehdr, e_phnum), 0xffff);
  }
  SUBCASE("sections outside the file") {
    patch<uint64_t>(bytes, offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX - 64);
  }
  SUBCASE("too many sections") {
    patch<uint16_t>(bytes, offsetof(Elf64_Ehdr, e_shnum), 0xffff);
  }
  SUBCASE("no section of names") {
    patch<uint16_t>(bytes, offsetof(Elf64_Ehdr, e_shstrndx), 0xfff0);
  }
  SUBCASE("odd header sizes") {
    patch<uint16_t>(bytes, offsetof(Elf64_Ehdr, e_shentsize), 1);
  }
  SUBCASE("names of 2^63 bytes") {
    const auto head = peek<Elf64_Ehdr>(bytes, 0);
    patch<uint64_t>(bytes,
                    head.e_shoff + head.e_shstrndx * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size),
                    uint64_t{1} << 63u);
  }
  CHECK(complaint(bytes) == kNotForUs);
}

TEST_CASE("a file cut at any length is refused and never read past its end") {
  const std::string bytes = plugin_bytes();
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 64) {
    CAPTURE(size);
    CHECK(complaint(bytes.substr(0, size)) == kNotForUs);
  }
}

TEST_CASE("damage to any one byte gives a note or a sentence") {
  const std::string bytes = plugin_bytes();
  size_t refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(~damaged[at]);
    const std::string sentence = complaint(damaged);
    refused += !sentence.empty();
    if (!sentence.empty() && sentence != kNotForUs && sentence != kNoNote && sentence != kDamaged)
      FAIL(sentence);
  }
  CHECK(refused > 50);  // headers, name table, note
}

TEST_CASE("damaged notes") {
  std::string bytes = plugin_bytes();
  const size_t section = section_header(bytes, ".note.tokometer");
  const size_t note = peek<Elf64_Shdr>(bytes, section).sh_offset;
  const size_t text = bytes.find("module=plain-c", note);
  SUBCASE("all zero") {
    std::fill_n(bytes.begin() + static_cast<long>(note), peek<Elf64_Shdr>(bytes, section).sh_size, '\0');
  }
  SUBCASE("another owner") {
    bytes[bytes.find("tokometer", note)] = 'T';
  }
  SUBCASE("another type") {
    patch<uint32_t>(bytes, note + offsetof(Elf64_Nhdr, n_type), 2);
  }
  SUBCASE("a name of 4 GiB") {
    patch<uint32_t>(bytes, note + offsetof(Elf64_Nhdr, n_namesz), 0xfffffffe);
  }
  SUBCASE("content of 4 GiB") {
    patch<uint32_t>(bytes, note + offsetof(Elf64_Nhdr, n_descsz), 0xfffffffe);
  }
  SUBCASE("too short for its words") {
    patch<uint32_t>(bytes, note + offsetof(Elf64_Nhdr, n_descsz), 12);
  }
  SUBCASE("section outside the file") {
    patch<uint64_t>(bytes, section + offsetof(Elf64_Shdr, sh_offset), UINT64_MAX - 4);
  }
  SUBCASE("section of 1 TiB") {
    patch<uint64_t>(bytes, section + offsetof(Elf64_Shdr, sh_size), uint64_t{1} << 40u);
  }
  SUBCASE("no module line") {
    bytes[text] = 'M';
  }
  SUBCASE("no valid name") {
    bytes[text + 7] = 'P';
  }
  SUBCASE("no version") {
    bytes[bytes.find("version=", text)] = 'V';
  }
  CHECK(complaint(bytes) == kDamaged);
}

TEST_CASE("no note") {
  std::string bytes = plugin_bytes();
  SUBCASE("no section of this name") {
    const size_t at = bytes.rfind(".note.tokometer");
    bytes[at + 1] = 'N';
  }
  SUBCASE("a section without content") {
    patch<uint32_t>(bytes, section_header(bytes, ".note.tokometer") + offsetof(Elf64_Shdr, sh_type),
                    SHT_NOBITS);
  }
  SUBCASE("no sections at all") {
    patch<uint64_t>(bytes, offsetof(Elf64_Ehdr, e_shoff), 0);
  }
  CHECK(complaint(bytes) == kNoNote);
}

TEST_CASE("versions that do not fit") {
  ModuleNote note{TKM_ABI_MAJOR, TKM_ABI_MINOR, 0, TKM_ABI_DRAFT, "m", "1", ""};
  const auto sentence = [&] {
    const auto fits = check_abi(note);
    return fits ? std::string() : fits.error().message;
  };
  CHECK(sentence().empty());
  SUBCASE("another major") {
    note.major = 2;
    CHECK(sentence() == "built for plugin ABI 2; this program speaks ABI 1");
  }
  SUBCASE("another draft") {
    note.draft = 999;
    CHECK(sentence() == "built for plugin ABI 1 draft 999; this program speaks plugin ABI 1 draft " +
                            std::to_string(TKM_ABI_DRAFT) +
                            "; build the plugin again with its tokometer-dev");
  }
  SUBCASE("needs a newer host") {
    note.min_host_minor = 9;
    CHECK(sentence() == "needs plugin ABI 1.9; this program speaks 1.0; install a newer tokometer");
  }
  SUBCASE("a newer minor that needs no newer host") {
    note.minor = 9;
    CHECK(sentence().empty());
  }
}

}  // namespace
}  // namespace tokometer

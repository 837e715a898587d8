#include "cli/host.hpp"

#include <elf.h>
#include <link.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string_view>
#include <thread>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr size_t kFactBytes = 120;

std::string hex_of(const unsigned char* bytes, size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text.push_back(kDigits[bytes[i] >> 4u]);
    text.push_back(kDigits[bytes[i] & 15u]);
  }
  return text;
}

// The value behind `key` and `separator` in the first line that has the key.
std::string fact_in(const char* file, std::string_view key, char separator) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find(separator);
    if (!line.starts_with(key) || at == std::string::npos) continue;
    std::string_view value = std::string_view(line).substr(at + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '"')) value.remove_prefix(1);
    while (!value.empty() && value.back() == '"') value.remove_suffix(1);
    return escape_terminal(value, kFactBytes);
  }
  return {};
}

constexpr size_t padded(size_t size) {
  return (size + 3) & ~size_t{3};
}

// Looks for NT_GNU_BUILD_ID in one PT_NOTE segment.
std::string build_id_in(const unsigned char* notes, size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof note);
    const size_t name = padded(note.n_namesz);
    const size_t whole = sizeof note + name + padded(note.n_descsz);
    if (whole > size) return {};
    const bool is_gnu = note.n_namesz == 4 && std::memcmp(notes + sizeof note, "GNU", 4) == 0;
    if (is_gnu && note.n_type == NT_GNU_BUILD_ID) return hex_of(notes + sizeof note + name, note.n_descsz);
    notes += whole;
    size -= whole;
  }
  return {};
}

// Called for the program itself first; its 1 ends the walk.
int read_build_id(dl_phdr_info* object, size_t, void* result) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* notes = reinterpret_cast<const unsigned char*>(object->dlpi_addr + segment.p_vaddr);
    std::string id = build_id_in(notes, segment.p_memsz);
    if (!id.empty()) *static_cast<std::string*>(result) = std::move(id);
  }
  return 1;
}

}  // namespace

Manifest::Host host_facts() {
  Manifest::Host host;
  utsname system{};
  if (uname(&system) == 0) {
    host.hostname = escape_terminal(system.nodename, kFactBytes);
    host.kernel = escape_terminal(std::string(system.sysname) + " " + system.release, kFactBytes);
  }
  host.cpu = fact_in("/proc/cpuinfo", "model name", ':');
  host.distribution = fact_in("/etc/os-release", "PRETTY_NAME", '=');
  host.cores = static_cast<int>(std::thread::hardware_concurrency());
  host.memory_bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  return host;
}

std::string own_build_id() {
  std::string id;
  dl_iterate_phdr(read_build_id, &id);
  return id;
}

std::string utc_now() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return std::string(text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::string random_hex(size_t digits) {
  unsigned char bytes[32] = {};
  const size_t size = std::min(sizeof bytes, (digits + 1) / 2);
  if (getentropy(bytes, size) != 0) return std::string(digits, '0');
  return hex_of(bytes, size).substr(0, digits);
}

}  // namespace tokometer

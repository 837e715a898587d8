// From the loader's sentence to what an author can do about it.
#include <cxxabi.h>
#include <elf.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "check/doctor.hpp"
#include "check/finding.hpp"
#include "plugin/plugin_file.hpp"

namespace tokometer::check {
namespace {

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

// What stands between two texts; empty: they are not there.
std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t from = text.find(before);
  if (from == text.npos) return {};
  const std::string_view rest = text.substr(from + before.size());
  return std::string(rest.substr(0, rest.find(after)));
}

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit ARM";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "POWER";
    case EM_S390:
      return "S/390";
    default:
      return "machine number " + std::to_string(machine);
  }
}

#if defined __x86_64__
constexpr uint16_t kThisMachine = EM_X86_64;
#else
constexpr uint16_t kThisMachine = EM_AARCH64;
#endif

// Why the file is no shared object for this machine, from its first bytes.
std::string hint_from_head(const std::string& path) {
  const auto file = PluginFile::open(path);
  if (!file) return {};
  if (file->size() == 0) return "the file is empty: was the copy cut short?";
  const auto bytes = file->reader()(0, sizeof(Elf64_Ehdr));
  if (!bytes || std::memcmp(bytes->data(), ELFMAG, SELFMAG) != 0) {
    const auto start = file->reader()(0, std::min<uint64_t>(file->size(), 16));
    return "it is no ELF file; it begins with " + in_quotes(start.value_or(""));
  }
  Elf64_Ehdr head;
  std::memcpy(&head, bytes->data(), sizeof head);
  if (head.e_machine != kThisMachine) {
    return "it is built for " + machine_name(head.e_machine) + ", this machine is " +
           machine_name(kThisMachine) + ": build it here";
  }
  if (head.e_type != ET_DYN)
    return "it is a program or an object file: link it with -shared (MODULE in CMake)";
  return "it is cut or damaged: copy it again";
}

std::string readable_symbol(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 && name ? " (" + std::string(name.get()) + ")" : std::string();
}

std::string hint_for_version(const std::string& version) {
  if (version.starts_with("GLIBCXX") || version.starts_with("CXXABI")) {
    return "it is built with a newer libstdc++ than this machine has: build it here, or link it with "
           "-static-libstdc++";
  }
  return "it is built against a newer C library than this machine has: build it here, or on an older system";
}

}  // namespace

std::string hint_for(const std::string& sentence, const std::string& path) {
  if (holds(sentence, "not a shared object for this machine")) return hint_from_head(path);
  if (const std::string version = between(sentence, "version `", "'"); !version.empty())
    return hint_for_version(version);
  if (holds(sentence, "cannot open shared object file")) {
    const std::string library = sentence.substr(0, sentence.find(": cannot open"));
    const size_t blank = library.rfind(' ');
    const std::string name = blank == library.npos ? library : library.substr(blank + 1);
    return "it needs the library " + name + ": install the package that has it, or link it statically";
  }
  if (const std::string symbol = between(sentence, "undefined symbol: ", ","); !symbol.empty()) {
    return "link the library that defines " + symbol.substr(0, symbol.find(' ')) + readable_symbol(symbol) +
           "; -Wl,-z,defs finds such symbols when the plugin is linked";
  }
  struct Known {
    std::string_view part, hint;
  };
  constexpr std::array kKnown{
      Known{"writable by others", "chmod go-w on what the sentence names, or --trust-plugin-dir"},
      Known{"who is neither you nor root", "chown it to yourself or root, or --trust-plugin-dir"},
      Known{"no .note.tokometer",
            "TKM_MODULE (C++) or TKM_NOTE (C) is missing, or the linker dropped the section"},
      Known{"built for plugin ABI", "build it with the headers of this program"},
      Known{"its file must be named", "rename the file"},
      Known{"install a newer tokometer", "this program is older than the plugin needs"},
      Known{"no such file", "a link that leads nowhere?"},
      Known{"cannot be opened", "may you read it?"},
      Known{"plugin bug:", "the descriptor breaks a rule of abi.h; the sentence says which"}};
  for (const Known& known : kKnown) {
    if (holds(sentence, known.part)) return std::string(known.hint);
  }
  return {};
}

}  // namespace tokometer::check

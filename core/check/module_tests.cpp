// The file, and what loading it does to the process.
#include <dlfcn.h>

#include <algorithm>
#include <array>

#include "check/elf_facts.hpp"
#include "check/process_state.hpp"
#include "check/subject.hpp"
#include "plugin/plugin_file.hpp"

namespace tokometer::check {
namespace {

std::optional<ElfFacts> facts_of(const Subject& subject) {
  const auto file = PluginFile::open(subject.path);
  return file ? read_elf_facts(file->reader()) : std::nullopt;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 5;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i)
    text += (i > 0 ? ", " : "") + in_quotes(names[i]);
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

Finding load(const Subject& subject) {
  const auto components = load_library(subject.path, subject.trust);
  if (!components) return fail(to_string(components.error()));
  return pass(std::to_string((*components)->size()) + " components");
}

Finding exports_one_symbol(const Subject& subject) {
  const auto facts = facts_of(subject);
  if (!facts) return skip("its symbols cannot be read");
  std::vector<std::string> others = facts->exported;
  std::erase(others, "tkm_module_v1");
  if (others.empty()) return pass();
  return fail("exports " + list_of(others) +
              " too: link with a version script, as tokometer_add_plugin() does");
}

Finding has_no_unique_symbol(const Subject& subject) {
  const auto facts = facts_of(subject);
  if (!facts) return skip("its symbols cannot be read");
  if (facts->unique.empty()) return pass();
  return fail("shares " + list_of(facts->unique) + " with all other libraries: link with a version script");
}

Finding is_hardened(const Subject& subject) {
  const auto facts = facts_of(subject);
  if (!facts) return skip("its segments cannot be read");
  if (facts->has_executable_stack) return fail("asks for an executable stack: link with -z noexecstack");
  if (facts->has_text_relocations) return fail("has relocations in its code: compile with -fPIC");
  return pass();
}

// A processor builds bytes and reads bytes; nothing else of the system is its business.
constexpr std::array<std::string_view, 31> kForeignToProcessors{
    "socket",
    "connect",
    "send",
    "sendto",
    "sendmsg",
    "recv",
    "recvfrom",
    "recvmsg",
    "getaddrinfo",
    "poll",
    "select",
    "epoll_wait",
    "clock_gettime",
    "gettimeofday",
    "time",
    "clock",
    "nanosleep",
    "clock_nanosleep",
    "usleep",
    "sleep",
    "pthread_create",
    "thrd_create",
    "fork",
    "vfork",
    "execve",
    "popen",
    "system",
    "_ZNSt6chrono3_V212steady_clock3nowEv",
    "_ZNSt6chrono3_V212system_clock3nowEv",
    "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE",
    "_ZNSt6thread15_M_start_threadESt10shared_ptrINS_10_Impl_baseEEPFvvE"};

Finding imports_nothing_foreign(const Subject& subject) {
  const auto facts = facts_of(subject);
  if (!facts) return skip("its symbols cannot be read");
  const auto components = load_library(subject.path, subject.trust);
  if (!components) return skip("see module.loads");
  const bool has_processor = std::any_of((*components)->begin(), (*components)->end(),
                                         [](const Component& it) { return it.kind() == TKM_KIND_PROCESSOR; });
  if (!has_processor) return skip("has no processor");
  std::vector<std::string> foreign;
  for (const std::string& name : facts->imported) {
    if (std::find(kForeignToProcessors.begin(), kForeignToProcessors.end(), name) !=
        kForeignToProcessors.end()) {
      foreign.push_back(name);
    }
  }
  if (foreign.empty()) return pass();
  return warn("has a processor and imports " + list_of(foreign) +
              "; a processor needs no sockets, clocks, sleeps or threads");
}

Finding gives_same_pointer(const Subject& subject) {
  const auto components = load_library(subject.path, subject.trust);
  if (!components) return skip("see module.loads");
  if ((*components)->empty()) return skip("has no component that this program knows");
  void* handle = dlopen((*components)->front().path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  void* symbol = handle != nullptr ? dlsym(handle, "tkm_module_v1") : nullptr;
  if (symbol == nullptr) return skip("its entry cannot be asked again");
  const auto entry = reinterpret_cast<const tkm_module* (*)()>(symbol);
  const tkm_module* first = (*components)->front().module;
  if (entry() != first || entry() != first) return fail("tkm_module_v1 returns another pointer each time");
  return pass();
}

Finding names_licence(const Subject& subject) {
  const auto components = load_library(subject.path, subject.trust);
  if (!components || (*components)->empty()) return skip("see module.loads");
  const tkm_str& license = (*components)->front().module->license;
  if (license.size == 0) return warn("names no license: an SPDX identifier such as Apache-2.0");
  return pass(in_quotes({license.data, license.size}));
}

Finding load_leaves(const Subject& subject, Aspect aspect) {
  const ProcessState before = ProcessState::now();
  const auto components = load_library(subject.path, subject.trust);
  const std::string difference = before.difference(ProcessState::now(), aspect);
  if (!components) return skip("see module.loads");
  return difference.empty() ? pass() : fail(difference);
}

Finding starts_no_thread(const Subject& subject) {
  return load_leaves(subject, Aspect::threads);
}
Finding opens_nothing(const Subject& subject) {
  return load_leaves(subject, Aspect::descriptors);
}
Finding keeps_locale(const Subject& subject) {
  return load_leaves(subject, Aspect::locale);
}
Finding keeps_signals(const Subject& subject) {
  return load_leaves(subject, Aspect::signals);
}
Finding keeps_surroundings(const Subject& subject) {
  return load_leaves(subject, Aspect::surroundings);
}
Finding keeps_float_mode(const Subject& subject) {
  return load_leaves(subject, Aspect::float_mode);
}

Finding prints_nothing(const Subject& subject) {
  const OutputCatcher catcher;
  const auto components = load_library(subject.path, subject.trust);
  if (!components) return skip("see module.loads");
  const std::string text = catcher.text();
  return text.empty() ? pass() : fail("printed " + in_quotes(text) + " while it was loaded");
}

constexpr std::array kTests{
    Test{"module.loads", "the loader takes the file, and its descriptor is what the ABI promises", load},
    Test{"module.one-symbol", "it exports tkm_module_v1 and nothing else", exports_one_symbol},
    Test{"module.no-unique-symbols", "none of its symbols is shared through the whole process",
         has_no_unique_symbol},
    Test{"module.hardened", "it needs neither an executable stack nor relocations in code", is_hardened},
    Test{"module.quiet-imports", "one with a processor imports no sockets, clocks, sleeps or threads",
         imports_nothing_foreign},
    Test{"module.same-pointer", "tkm_module_v1 returns the same pointer each time", gives_same_pointer},
    Test{"module.license", "it names its license", names_licence},
    Test{"module.no-thread", "loading it starts no thread", starts_no_thread},
    Test{"module.no-open-file", "loading it leaves no file open", opens_nothing},
    Test{"module.no-output", "loading it prints nothing", prints_nothing},
    Test{"module.keeps-locale", "loading it leaves the locale alone", keeps_locale},
    Test{"module.keeps-signals", "loading it leaves signal handlers and masks alone", keeps_signals},
    Test{"module.keeps-surroundings", "loading it leaves umask, working directory and environment alone",
         keeps_surroundings},
    Test{"module.keeps-float-mode", "loading it leaves rounding and denormal numbers alone",
         keeps_float_mode}};

}  // namespace

std::span<const Test> module_tests() {
  return kTests;
}

}  // namespace tokometer::check

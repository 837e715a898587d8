#include "plugin/library.hpp"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "plugin/descriptor.hpp"
#include "plugin/plugin_file.hpp"

namespace tokometer {
namespace {

struct Library {
  dev_t device;
  ino_t inode;
  std::string path, module, version;  // `CalledPlugin` points into these
  boost::dll::shared_library handle;
  std::vector<Component> components;
  std::vector<Error> faults;  // why it must not be used; it stays loaded nevertheless
};

// Process-wide like the dynamic linker itself. Never destroyed: a destructor would unload.
std::deque<Library>& libraries() {
  static auto* const all = new std::deque<Library>;
  return *all;
}

Result<const std::vector<Component>*> components_of(const Library& library) {
  if (!library.faults.empty()) return library.faults;
  return &library.components;
}

const Library* find_loaded(const PluginFile& file) {
  for (const Library& library : libraries()) {
    if (library.device == file.facts().st_dev && library.inode == file.facts().st_ino) return &library;
  }
  return nullptr;
}

// The linker's own sentence out of Boost's: "... failed (dlerror system message: /p/x.so: undefined symbol:
// foo): ...".
std::string linker_sentence(const std::exception& error, const std::string& path) {
  std::string text = error.what();
  const std::string_view before = "dlerror system message: ";
  if (const size_t at = text.find(before); at != std::string::npos) {
    text = text.substr(at + before.size());
    text = text.substr(0, text.rfind("): "));
  }
  if (text.rfind(path + ": ", 0) == 0) text = text.substr(path.size() + 2);
  return escape_terminal(text, 1024);
}

Result<ModuleNote> check_file(const PluginFile& file, const std::string& file_name, Trust trust) {
  if (trust == Trust::check) {
    if (auto trusted = check_trust(file); !trusted) return trusted.error();
  }
  const auto at_file = [&](const std::string& message) { return Error{message, file.real_path().string()}; };
  auto note = read_module_note(file.reader(), file.size());
  if (!note) return at_file(note.error().message);
  if (const auto abi = check_abi(*note); !abi) return at_file(abi.error().message);
  if (file_name != note->module + ".so") {
    return at_file("is module \"" + note->module + "\"; its file must be named " + note->module + ".so");
  }
  return note;
}

Result<void> check_name_is_free(const std::string& module, const std::string& path) {
  for (const Library& library : libraries()) {
    if (library.module == module && library.faults.empty()) {
      return Error{"module \"" + module + "\" comes from two files, " + library.path + " and " + path +
                   "; name only one of them"};
    }
  }
  return {};
}

using EntryPoint = const tkm_module*();

// Code of the plugin runs from here on: its static initialisers, then its entry point.
Result<const tkm_module*> enter_module(Library& library, const PluginFile& file) {
  const auto at_file = [&](const std::string& message) { return Error{message, library.path}; };
  const CalledPlugin called{library.module.c_str(), library.path.c_str(), library.version.c_str()};
  try {
    const CallScope scope(called, "load", CallTime::unlimited);
    using namespace boost::dll;
    library.handle.load(library.path, load_mode::rtld_now | load_mode::rtld_local);
    if (!file.is_still_there()) return at_file("was replaced while it was being loaded");
    return library.handle.get<EntryPoint>("tkm_module_v1")();
  } catch (const std::system_error& error) {
    return at_file(linker_sentence(error, library.path));
  } catch (...) {
    return at_file("plugin bug: tkm_module_v1 threw an exception");
  }
}

Component make_component(const tkm_component* entry, const tkm_module* module, const Library& library,
                         const std::string& sha256, const std::string& build_id) {
  return {entry,  module,   library.path,
          sha256, build_id, {library.module.c_str(), library.path.c_str(), library.version.c_str()}};
}

void fill(Library& library, const PluginFile& file, const ModuleNote& note, const std::string& sha256) {
  const auto module = enter_module(library, file);
  if (!module) {
    library.faults = module.errors();
    return;
  }
  const auto entries = check_descriptor(*module, note);
  if (!entries) {
    library.faults = entries.errors();
    for (Error& fault : library.faults) fault.file = library.path;
    return;
  }
  for (const tkm_component* entry : *entries) {
    library.components.push_back(make_component(entry, *module, library, sha256, note.build_id));
  }
}

Result<const std::vector<Component>*> load_new(const PluginFile& file, const ModuleNote& note) {
  const std::string path = file.real_path().string();
  if (const auto is_free = check_name_is_free(note.module, path); !is_free) return is_free.error();
  const auto sha256 = sha256_file(file.real_path());
  if (!sha256) return sha256.error();

  Library& library = libraries().emplace_back(
      Library{file.facts().st_dev, file.facts().st_ino, path, note.module, note.version, {}, {}, {}});
  fill(library, file, note, *sha256);
  return components_of(library);
}

}  // namespace

Result<ModuleNote> inspect_library(const std::filesystem::path& path, Trust trust) {
  const auto file = PluginFile::open(path);
  if (!file) return file.errors();
  return check_file(*file, path.filename().string(), trust);
}

Result<const std::vector<Component>*> load_library(const std::filesystem::path& path, Trust trust) {
  const auto file = PluginFile::open(path);
  if (!file) return file.errors();
  if (const Library* loaded = find_loaded(*file)) return components_of(*loaded);
  const auto note = check_file(*file, path.filename().string(), trust);
  if (!note) return note.errors();
  return load_new(*file, *note);
}

}  // namespace tokometer

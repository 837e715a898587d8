#include "plugin/registry.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>

#include "base/text.hpp"
#include "plugin/library.hpp"
#include "plugin/names.hpp"

namespace tokometer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStandard = "standard";
constexpr std::string_view kTokenizer = "tokenizer-";  // in front of the module's name
constexpr std::string_view kPluginFolder = "tokometer/plugins-1";

// Backends that Debian packages bring: worth naming where their plugin is missing.
const std::vector<std::string> kPackaged = {"vllm", "tgi", "triton", "sglang", "nim", "tokenizer-hf"};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string in_quotes(std::string_view text) {
  return "\"" + escape_terminal(text, 128) + "\"";
}

std::string from_environment(const char* name) {
  const char* value = secure_getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void add_environment_path(std::vector<SearchDirectory>& directories) {
  std::string rest = from_environment("TOKOMETER_PLUGIN_PATH");
  while (!rest.empty()) {
    const std::string entry = rest.substr(0, rest.find(':'));
    rest.erase(0, entry.size() + 1);
    if (fs::path(entry).is_absolute()) directories.push_back({entry, "TOKOMETER_PLUGIN_PATH"});
  }
}

void add_installation(std::vector<SearchDirectory>& directories) {
  std::error_code failure;
  const fs::path program = fs::read_symlink("/proc/self/exe", failure);
  if (failure) return;
  const fs::path folder = program.parent_path().parent_path() / "lib" / kPluginFolder;
  directories.push_back({folder.string(), "installation"});
}

// The module names with a file in the folder, sorted.
std::vector<std::string> modules_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (auto entry = fs::directory_iterator(folder, failure); !failure && entry != fs::directory_iterator();
       entry.increment(failure)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".so" && is_module_name(path.stem().string()))
      names.push_back(path.stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string list_of(const std::vector<Component>& components) {
  std::string text;
  for (const Component& component : components) {
    text += (text.empty() ? "" : ", ") + std::string(component.name()) + " (" +
            std::string(kind_name(component.kind())) + ")";
  }
  return text.empty() ? "nothing that this program knows" : text;
}

const Component* find_in(const std::vector<Component>& components, int32_t kind, std::string_view name) {
  for (const Component& component : components) {
    if (component.kind() == kind && component.name() == name) return &component;
  }
  return nullptr;
}

const Component* find_in(const std::vector<Component>& components, std::string_view name) {
  for (const Component& component : components) {
    if (component.name() == name) return &component;
  }
  return nullptr;
}

Error wrong_kind(const Component& found, int32_t kind, std::string_view use) {
  return {in_quotes(use) + " is a " + std::string(kind_name(found.kind())) + ", not a " +
          std::string(kind_name(kind))};
}

// The file was found and loaded, but has no component of this name.
Error not_in_module(const std::vector<Component>& components, int32_t kind, std::string_view module,
                    std::string_view name) {
  std::vector<std::string> names;
  for (const Component& component : components) names.emplace_back(component.name());
  std::string text =
      "module " + in_quotes(module) + " has no " + std::string(kind_name(kind)) + " " + in_quotes(name);
  if (const auto near = nearest_name(name, names))
    text += "; did you mean " + in_quotes(std::string(module) + "/" + *near) + "?";
  return {text + "; it has: " + list_of(components)};
}

struct Use {
  std::vector<std::string> modules;  // to look in, in this order
  std::string_view name;
};

// `kind` 0: any. A tokenizer of its own has its kind in the module's name: "hf" is in tokenizer-hf.so.
Result<Use> parse_use(int32_t kind, std::string_view use) {
  const size_t slash = use.find('/');
  if (ends_with(use, ".so") || use.substr(0, 1) == ".") {
    return Error{"plugin " + in_quotes(use) + ": give a file as an absolute path that ends in .so"};
  }
  const std::string_view name = slash == use.npos ? use : use.substr(slash + 1);
  if (!is_component_name(name) || (slash != use.npos && !is_module_name(use.substr(0, slash)))) {
    return Error{"plugin " + in_quotes(use) +
                 ": must be a name, module/name, or an absolute path that ends in .so"};
  }
  if (slash != use.npos) return Use{{std::string(use.substr(0, slash))}, name};
  Use found{{std::string(kStandard)}, name};
  if (name == kStandard || !is_module_name(name)) return found;
  if (kind == 0 || kind == TKM_KIND_TOKENIZER)
    found.modules.push_back(std::string(kTokenizer) + std::string(name));
  found.modules.emplace_back(name);
  return found;
}

bool is_file(std::string_view use) {
  return use.substr(0, 1) == "/" && ends_with(use, ".so");
}

}  // namespace

Registry::Registry(SearchPath search_path) : search_path_(std::move(search_path)) {}

SearchPath Registry::default_search_path(const SearchOptions& options) {
  SearchPath path;
  path.trust = options.trust;
  for (const std::string& folder : options.plugin_dirs) {
    std::error_code failure;
    const fs::path absolute = fs::absolute(folder, failure);
    path.directories.push_back({failure ? folder : absolute.lexically_normal().string(), "--plugin-dir"});
  }
  add_environment_path(path.directories);
  const fs::path home = from_environment("HOME");
  if (home.is_absolute()) {
    path.directories.push_back({(home / ".local/lib" / kPluginFolder).string(), "home"});
  }
  add_installation(path.directories);
  return path;
}

Result<const Registry::Components*> Registry::open_file(const std::string& path) {
  auto components = load_library(path, search_path_.trust ? Trust::skip : Trust::check);
  if (components && std::find(opened_.begin(), opened_.end(), *components) == opened_.end()) {
    opened_.push_back(*components);
  }
  return components;
}

Result<const Registry::Components*> Registry::open_module(std::string_view module) {
  const std::string file_name = std::string(module) + ".so";
  for (const SearchDirectory& directory : search_path_.directories) {
    const fs::path path = fs::path(directory.path) / file_name;
    std::error_code failure;
    // A broken link is found, and told when it cannot be opened.
    if (fs::exists(fs::symlink_status(path, failure))) return open_file(path.string());
  }
  if (module == kStandard) lacks_standard_ = true;
  return nullptr;
}

Result<const Component*> Registry::find_in_file(int32_t kind, const std::string& path) {
  const auto components = open_file(path);
  if (!components) return components.errors();
  const std::string module = fs::path(path).stem().string();
  if (const Component* found = find_in(**components, kind, module)) return found;
  std::vector<const Component*> of_kind;
  for (const Component& component : **components) {
    if (component.kind() == kind) of_kind.push_back(&component);
  }
  if (of_kind.size() == 1) return of_kind.front();
  const std::string count = of_kind.empty() ? "no " : "several components that are a ";
  return Error{"has " + count + std::string(kind_name(kind)) + ": " + list_of(**components) +
                   (of_kind.empty() ? "" : "; name one as " + module + "/NAME with --plugin-dir"),
               path};
}

Result<const Component*> Registry::find(int32_t kind, std::string_view use) {
  if (is_file(use)) return find_in_file(kind, std::string(use));
  const auto parsed = parse_use(kind, use);
  if (!parsed) return parsed.errors();
  const Component* of_other_kind = nullptr;
  const Components* opened = nullptr;
  for (const std::string& module : parsed->modules) {
    const auto components = open_module(module);
    if (!components) return components.errors();
    if (*components == nullptr) continue;
    if (const Component* found = find_in(**components, kind, parsed->name)) return found;
    if (of_other_kind == nullptr) of_other_kind = find_in(**components, parsed->name);
    if (module == parsed->modules.back()) opened = *components;
  }
  if (of_other_kind != nullptr) return wrong_kind(*of_other_kind, kind, use);
  const std::string_view module = parsed->modules.back();
  const bool is_own_module = module != kStandard || parsed->name != use;
  if (opened != nullptr && is_own_module) return not_in_module(*opened, kind, module, parsed->name);
  return not_found(kind, is_own_module ? module : parsed->name);
}

Result<std::vector<const Component*>> Registry::find_any(std::string_view use) {
  std::vector<const Component*> found, of_module;
  if (is_file(use)) {
    const auto components = open_file(std::string(use));
    if (!components) return components.errors();
    for (const Component& component : **components) found.push_back(&component);
    return found;
  }
  const auto parsed = parse_use(0, use);
  if (!parsed) return parsed.errors();
  for (const std::string& module : parsed->modules) {
    const auto components = open_module(module);
    if (!components) return components.errors();
    if (*components == nullptr) continue;
    for (const Component& component : **components) {
      if (component.name() == parsed->name) found.push_back(&component);
      if (module == use) of_module.push_back(&component);
    }
    if (!found.empty()) return found;
  }
  if (!of_module.empty()) return of_module;
  return not_found(0, parsed->modules.back());
}

std::vector<std::string> Registry::names_near(int32_t kind) const {
  std::vector<std::string> names;
  const auto add_module = [&](std::string name) {
    const bool is_short = kind == TKM_KIND_TOKENIZER && name.starts_with(kTokenizer);
    names.push_back(is_short ? name.substr(kTokenizer.size()) : std::move(name));
  };
  for (const std::string& name : kPackaged) add_module(name);
  for (const SearchDirectory& directory : search_path_.directories) {
    for (std::string& name : modules_in(directory.path)) add_module(std::move(name));
  }
  for (const Components* components : opened_) {
    for (const Component& component : *components) {
      if (kind == 0 || component.kind() == kind) names.emplace_back(component.name());
    }
  }
  return names;
}

Error Registry::not_found(int32_t kind, std::string_view module) const {
  std::string text = "plugin " + in_quotes(module) + " not found in: ";
  for (const SearchDirectory& directory : search_path_.directories) {
    text += (&directory == &search_path_.directories.front() ? "" : ", ") + directory.path;
  }
  if (search_path_.directories.empty()) text += "no folder";
  const auto near = nearest_name(module, names_near(kind));
  const std::string kind_part(kind == TKM_KIND_TOKENIZER ? kTokenizer : "");
  const std::string package = kind_part + near.value_or(std::string(module));
  const bool is_packaged = std::find(kPackaged.begin(), kPackaged.end(), package) != kPackaged.end();
  if (near && *near != module) text += "; did you mean " + in_quotes(*near) + "?";
  if (is_packaged || !near) text += " (package tokometer-plugin-" + package + ")";
  if (lacks_standard_)
    text +=
        "; standard.so, with the bundled datasets and load patterns, is missing too: install tokometer again";
  return {text};
}

std::vector<ModuleInfo> Registry::list() const {
  std::vector<ModuleInfo> modules;
  for (const SearchDirectory& directory : search_path_.directories) {
    for (const std::string& name : modules_in(directory.path)) {
      const fs::path path = fs::path(directory.path) / (name + ".so");
      const auto is_same = [&](const ModuleInfo& other) {
        std::error_code failure;
        return other.path == path || fs::equivalent(other.path, path, failure);
      };
      if (std::any_of(modules.begin(), modules.end(), is_same)) continue;
      ModuleInfo info{name, path.string(), directory.origin, {}, {}, {}};
      const auto note = inspect_library(path, search_path_.trust ? Trust::skip : Trust::check);
      note ? void(info.note = *note) : void(info.problem = note.error().message);
      const auto wins =
          std::find_if(modules.begin(), modules.end(), [&](const auto& m) { return m.name == name; });
      if (wins != modules.end()) info.shadowed_by = wins->path;
      modules.push_back(std::move(info));
    }
  }
  std::stable_sort(modules.begin(), modules.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  return modules;
}

}  // namespace tokometer

#include <tokometer/json.hpp>

#include "cli/commands.hpp"
#include "cli/input.hpp"
#include "cli/print.hpp"
#include "plugin/describe.hpp"

namespace tokometer {
namespace {

std::string list_json(const Registry& registry) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().key("plugins").begin_array();
  for (const ModuleInfo& module : registry.list()) {
    json.begin_object().member("name", module.name).member("version", module.note.version);
    json.key("abi")
        .begin_array()
        .value(uint64_t{module.note.major})
        .value(uint64_t{module.note.minor})
        .end_array();
    json.member("path", module.path).member("origin", module.origin).member("build_id", module.note.build_id);
    if (!module.shadowed_by.empty()) json.member("shadowed_by", module.shadowed_by);
    if (!module.problem.empty()) json.member("problem", module.problem);
    json.end_object();
  }
  json.end_array().key("search_path").begin_array();
  for (const SearchDirectory& directory : registry.search_path().directories) {
    json.begin_object().member("path", directory.path).member("origin", directory.origin).end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

std::string describe(const std::vector<const Component*>& components, const CommandLine& line) {
  std::string text;
  for (const Component* component : components) {
    if (!text.empty()) text += line.json ? "," : "\n";
    if (line.json) {
      text += render_component_json(*component);
    } else {
      text += line.yaml ? render_component_yaml(*component) : render_component_table(*component);
    }
  }
  return line.json && components.size() > 1 ? "[" + text + "]\n" : text;
}

}  // namespace

int plugin_list_command(const CommandLine& line) {
  const Registry registry(Registry::default_search_path(line.plugins));
  print(line.json ? list_json(registry) : render_plugin_list(registry.list(), registry.search_path()));
  return kFinished;
}

int plugin_describe_command(const CommandLine& line) {
  Registry registry(Registry::default_search_path(line.plugins));
  auto components = registry.find_any(line.inputs.front());
  if (!components) return complain(components.errors()), kRefused;
  print(describe(*components, line));
  return kFinished;
}

}  // namespace tokometer

#include "config/expand.hpp"

#include <cstdlib>

#include "base/file.hpp"
#include "config/environment.hpp"
#include "config/merge.hpp"
#include "config/overrides.hpp"

namespace tokometer {
namespace {

Result<Document> load(const Source& source) {
  if (source.text) return parse_yaml_tree(*source.text, source.name);
  auto text = read_file(source.name, kMaxYamlBytes);
  if (!text) return text.error();
  return parse_yaml_tree(*text, source.name);
}

void replace_in(Node& node, const Environment& environment, std::vector<Error>& faults) {
  if (node.kind == Node::Kind::scalar && !node.unresolved) {
    auto text = replace_variables(node.raw, environment);
    node.unresolved = !text.ok();
    if (text) {
      node.text = std::move(*text);
    } else {
      faults.push_back(fault_at_value(node, text.error().message));
    }
  }
  for (Node& item : node.items) replace_in(item, environment, faults);
  // `key: ${VAR:-}` with nothing in VAR: as if the key were not there.
  const bool is_map = node.kind == Node::Kind::map;
  std::erase_if(node.items, [&](const Node& item) {
    return is_map && item.kind == Node::Kind::scalar && item.plain && item.text.empty() && !item.raw.empty();
  });
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

Result<Document> load_documents(const Sources& sources) {
  Document document;
  for (const Source& source : sources.files) {
    auto next = load(source);
    if (!next) return next;
    write_short_forms_in_full(next->root);
    if (&source == &sources.files.front()) {
      document.root = std::move(next->root);
    } else {
      merge_over(document.root, next->root);
    }
    document.faults.insert(document.faults.end(), next->faults.begin(), next->faults.end());
  }
  set_paths(document.root);
  for (const SetOption& option : sources.sets) {
    if (auto applied = apply_option(option, document); !applied) return applied.errors();
  }
  replace_in(document.root, sources.environment ? sources.environment : process_environment, document.faults);
  return document;
}

}  // namespace tokometer

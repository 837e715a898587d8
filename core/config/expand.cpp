#include "config/expand.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/environment.hpp"

namespace tokometer {
namespace {

constexpr std::string_view kSetPrefix = "--set ";

bool is_from_command_line(const Node& node) {
  return node.value_position.file.starts_with(kSetPrefix);
}

Node map_at(const Node& place) {
  Node map = place;
  map.kind = Node::Kind::map;
  map.items.clear();
  return map;
}

// `processor: vllm` is short for {use: vllm}, `target: sim` for {sim: {}}. In full they can be merged.
void write_in_full(Node& value, const char* key) {
  if (value.kind != Node::Kind::scalar || value.type() != Node::Type::text) return;
  Node inner = value;
  inner.key = key;
  value = map_at(value);
  value.items.push_back(std::move(inner));
}

void write_components_in_full(Node& section) {
  for (const char* name : {"processor", "dataset", "load"}) {
    if (Node* component = section.find(name)) write_in_full(*component, "use");
  }
}

void write_short_forms_in_full(Node& root) {
  write_components_in_full(root);
  if (Node* target = root.find("target"); target != nullptr && target->text == "sim") {
    write_in_full(*target, "sim");
    target->items.front() = map_at(target->items.front());
  }
  if (Node* phases = root.find("phases")) {
    for (Node& phase : phases->items) write_components_in_full(phase);
  }
}

void erase_member(Node& map, std::string_view key) {
  std::erase_if(map.items, [&](const Node& item) { return item.key == key; });
}

// What a new member makes meaningless: another `use` has other options, a `url` stands in place of `sim`.
void drop_outdated(Node& map, const Node& added) {
  if (added.key == "use") {
    const Node* use = map.find("use");
    Node* options = map.find("options");
    if (use == nullptr || options == nullptr || use->raw == added.raw) return;
    std::erase_if(options->items, [](const Node& option) { return !is_from_command_line(option); });
    if (options->items.empty() && !is_from_command_line(*options)) erase_member(map, "options");
  }
  if (map.key == "target" && (added.key == "url" || added.key == "sim")) {
    erase_member(map, added.key == "url" ? "sim" : "url");
  }
}

void put_member(Node& map, Node value) {
  drop_outdated(map, value);
  if (Node* old = map.find(value.key)) {
    *old = std::move(value);
  } else {
    map.items.push_back(std::move(value));
  }
}

// A --set path: "a.b", "phases.0", "phases[0]", target.headers["X.A"].
std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts{""};
  while (!path.empty()) {
    if (path.starts_with("[\"")) {
      const size_t end = std::min(path.find("\"]"), path.size());
      if (!parts.back().empty()) parts.emplace_back();
      parts.back() = path.substr(2, end - 2);
      path.remove_prefix(std::min(end + 2, path.size()));
      continue;
    }
    const char c = path.front();
    path.remove_prefix(1);
    if (c == '.' || c == '[') {
      parts.emplace_back();
    } else if (c != ']') {
      parts.back().push_back(c);
    }
  }
  return parts;
}

// A list item by its index or by its `name`; nullptr and a sentence if there is none.
Node* find_item(Node& list, const std::string& part, std::string& sentence) {
  size_t index = 0;
  const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
  if (read.ec == std::errc() && read.ptr == part.data() + part.size()) {
    if (index < list.items.size()) return &list.items[index];
    sentence = "there is no entry " + part + " (the list has " + std::to_string(list.items.size()) +
               ", counted from 0)";
    return nullptr;
  }
  std::vector<std::string> names;
  for (Node& item : list.items) {
    const Node* name = item.find("name");
    if (name == nullptr) continue;
    if (name->text == part) return &item;
    names.push_back(name->text);
  }
  sentence = "no entry is named \"" + escape_terminal(part, 60) + "\"";
  if (const auto near = nearest_name(part, names)) sentence += "; did you mean \"" + *near + "\"?";
  return nullptr;
}

// Puts the value where the path leads, making maps on the way. The sentence of the fault, or empty.
std::string put_at(Node& root, const std::vector<std::string>& parts, Node value) {
  Node* at = &root;
  std::string sentence;
  for (size_t depth = 0; depth < parts.size(); ++depth) {
    const bool last = depth + 1 == parts.size();
    if (at->kind == Node::Kind::sequence) {
      Node* item = find_item(*at, parts[depth], sentence);
      if (item == nullptr) return sentence;
      if (last) {
        value.key.clear();
        *item = std::move(value);
        return {};
      }
      at = item;
      continue;
    }
    if (at->kind == Node::Kind::scalar) {
      return "\"" + escape_terminal(at->path, 80) + "\" is a single value; it has no keys below";
    }
    if (last) {
      value.key = parts[depth];
      put_member(*at, std::move(value));
      return {};
    }
    if (at->find(parts[depth]) == nullptr) {
      Node section = map_at(value);
      section.key = parts[depth];
      put_member(*at, std::move(section));
    }
    at = at->find(parts[depth]);
  }
  return {};
}

void move_to(Node& node, const Position& position, bool unsafe) {
  node.key_position = node.value_position = position;
  node.unsafe = unsafe && node.kind == Node::Kind::scalar && !has_variable(node.raw);
  for (Node& item : node.items) move_to(item, position, unsafe);
}

// The value of one --set option, at the position that names the option.
Result<Node> value_of(SetOption::Kind kind, std::string_view text, const Position& position) {
  Node value;
  if (kind == SetOption::Kind::yaml && !text.empty()) {
    auto document = parse_yaml(text, position.file);
    if (!document) return Error{document.error().message, position.file};
    value = std::move(document->root);
  } else if (kind == SetOption::Kind::file) {
    auto content = read_file(std::string(text), kMaxYamlBytes);
    if (!content) return Error{content.error().message, position.file};
    if (!is_valid_utf8(*content)) return Error{std::string(text) + ": not valid UTF-8", position.file};
    if (content->ends_with('\n')) content->pop_back();
    if (content->ends_with('\r')) content->pop_back();
    value.text = *content;
    value.raw = protect_dollars(*content);  // a file's content is taken as it is
  } else {
    value.text = value.raw = text;
  }
  move_to(value, position, kind != SetOption::Kind::file);
  return value;
}

// Fails for an option that is no assignment; a path that leads nowhere is left in document.faults.
Result<void> apply(const SetOption& option, Document& document) {
  const size_t equals = option.assignment.find('=');
  const std::string path = option.assignment.substr(0, equals);
  const Position position{std::string(kSetPrefix) + escape_terminal(path, 120)};
  const std::vector<std::string> parts = split_path(path);
  const bool has_gap = std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty(); });
  if (equals == std::string::npos || has_gap) {
    return Error{"must have the form a.b=value", position.file};
  }
  auto value = value_of(option.kind, std::string_view(option.assignment).substr(equals + 1), position);
  if (!value) {
    document.faults.insert(document.faults.end(), value.errors().begin(), value.errors().end());
    return {};
  }
  const std::string sentence = put_at(document.root, parts, std::move(*value));
  if (!sentence.empty()) document.faults.push_back({sentence, position.file});
  write_short_forms_in_full(document.root);
  set_paths(document.root);
  return {};
}

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

void merge_over(Node& base, const Node& over) {
  if (base.kind != Node::Kind::map || over.kind != Node::Kind::map) {
    base = over;
    return;
  }
  for (const Node& member : over.items) {
    drop_outdated(base, member);
    if (Node* old = base.find(member.key)) {
      merge_over(*old, member);
    } else {
      base.items.push_back(member);
    }
  }
}

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
    if (auto applied = apply(option, document); !applied) return applied.errors();
  }
  replace_in(document.root, sources.environment ? sources.environment : process_environment, document.faults);
  return document;
}

}  // namespace tokometer

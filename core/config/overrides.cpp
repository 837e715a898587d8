#include "config/overrides.hpp"

#include <algorithm>
#include <charconv>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/environment.hpp"
#include "config/merge.hpp"

namespace tokometer {
namespace {

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

}  // namespace

std::string put_value(Document& document, const std::string& path, Node value) {
  const std::string sentence = put_at(document.root, split_path(path), std::move(value));
  write_short_forms_in_full(document.root);
  set_paths(document.root);
  return sentence;
}

Result<void> apply_option(const SetOption& option, Document& document) {
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

}  // namespace tokometer

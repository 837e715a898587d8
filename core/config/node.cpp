// The tree of a run file: types of scalars, paths, JSON.
#include <algorithm>
#include <charconv>
#include <tokometer/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "config/yaml.hpp"

namespace tokometer {
namespace {

bool is_plain_key(std::string_view key) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  return !key.empty() && key.find_first_not_of(kPlain) == std::string_view::npos;
}

// JSON's grammar of numbers, checked by hand: 08, .5, 0x1F, +1 and .inf are text.
Node::Type number_type(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto digits = [&text] {
    const size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count;
  };
  const bool leading_zero = text.starts_with('0');
  const size_t whole = digits();
  if (whole == 0 || (leading_zero && whole > 1)) return Node::Type::text;
  if (text.empty()) return Node::Type::integer;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return Node::Type::text;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return Node::Type::text;
  }
  return text.empty() ? Node::Type::number : Node::Type::text;
}

void write_number(tkm::JsonWriter& json, const std::string& text) {
  int64_t whole = 0;
  uint64_t large = 0;
  double real = 0;
  const char* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc() && read.ptr == end) {
    json.value(whole);
  } else if (const auto more = std::from_chars(text.data(), end, large);
             more.ec == std::errc() && more.ptr == end) {
    json.value(large);
  } else if (std::from_chars(text.data(), end, real).ec == std::errc()) {
    json.value(real);
  } else {
    json.value(text);  // 1e999: no number of ours
  }
}

void write_json(tkm::JsonWriter& json, const Node& node) {
  if (node.kind == Node::Kind::sequence) {
    json.begin_array();
    for (const Node& item : node.items) write_json(json, item);
    json.end_array();
  } else if (node.kind == Node::Kind::map) {
    json.begin_object();
    for (const Node& item : node.items) write_json(json.key(item.key), item);
    json.end_object();
  } else {
    switch (node.type()) {
      case Node::Type::null:
        json.value(nullptr);
        break;
      case Node::Type::boolean:
        json.value(node.text == "true");
        break;
      case Node::Type::integer:
      case Node::Type::number:
        write_number(json, node.text);
        break;
      case Node::Type::text:
        json.value(node.text);
        break;
    }
  }
}

Error fault_at(const Position& at, const Node& node, const std::string& sentence) {
  const bool named = node.path.empty() || at.file == "--set " + node.path;
  return {named ? sentence : node.path + ": " + sentence, at.file, at.line, at.column};
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto found = std::find_if(items.begin(), items.end(), [&](const Node& n) { return n.key == name; });
  return kind != Kind::map || found == items.end() ? nullptr : &*found;
}

Node* Node::find(std::string_view name) {
  return const_cast<Node*>(std::as_const(*this).find(name));
}

Node::Type Node::type() const {
  if (!plain) return Type::text;
  if (text.empty() || text == "null" || text == "~") return Type::null;
  if (text == "true" || text == "false") return Type::boolean;
  return number_type(text);
}

std::string member_path(const std::string& parent, std::string_view key) {
  const std::string shown = escape_terminal(key, 80);
  if (!is_plain_key(key)) return parent + "[\"" + shown + "\"]";
  return parent.empty() ? shown : parent + "." + shown;
}

std::string item_path(const std::string& parent, size_t index) {
  return parent + "[" + std::to_string(index) + "]";
}

void set_paths(Node& root) {
  for (size_t index = 0; index < root.items.size(); ++index) {
    Node& item = root.items[index];
    item.path = root.kind == Node::Kind::map ? member_path(root.path, item.key) : item_path(root.path, index);
    set_paths(item);
  }
}

std::string to_json(const Node& node) {
  std::string text;
  tkm::JsonWriter json(text);
  write_json(json, node);
  return text;
}

Error fault_at_value(const Node& node, const std::string& sentence) {
  return fault_at(node.value_position, node, sentence);
}

Error fault_at_key(const Node& node, const std::string& sentence) {
  return fault_at(node.key_position, node, sentence);
}

}  // namespace tokometer

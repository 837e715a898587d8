#include "config/merge.hpp"

#include <algorithm>
#include <utility>

namespace tokometer {
namespace {

bool is_from_command_line(const Node& node) {
  return node.value_position.file.starts_with(kSetPrefix);
}

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

}  // namespace

Node map_at(const Node& place) {
  Node map = place;
  map.kind = Node::Kind::map;
  map.text.clear();
  map.raw.clear();
  map.items.clear();
  return map;
}

void write_short_forms_in_full(Node& root) {
  write_components_in_full(root);
  if (Node* target = root.find("target"); target != nullptr && target->text == "sim") {
    write_in_full(*target, "sim");
    target->items.front() = map_at(target->items.front());
  }
  if (Node* phases = root.find("phases")) {
    for (Node& phase : phases->items) {
      write_components_in_full(phase);
      Node* workloads = phase.find("workloads");
      if (workloads == nullptr) continue;
      for (Node& entry : workloads->items) write_components_in_full(entry);
    }
  }
  if (Node* workloads = root.find("workloads")) {
    for (Node& workload : workloads->items) write_components_in_full(workload);
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

}  // namespace tokometer

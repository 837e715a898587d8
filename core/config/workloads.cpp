#include "config/workloads.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <tokometer/random.hpp>

#include "base/text.hpp"
#include "config/merge.hpp"
#include "config/sentences.hpp"
#include "config/workloads_resolved.hpp"

namespace tokometer {
namespace {

constexpr std::array<const char*, 3> kLengths{"duration", "requests", "sessions"};
constexpr std::array<const char*, 3> kOfThePhase{"name", "drain", "workloads"};

bool is_held_back(const Node& entry) {
  return entry.kind == Node::Kind::scalar && (entry.text == "off" || (entry.plain && entry.text == "false"));
}

const Node* entry_of(const Node& phase, const std::string& workload) {
  const Node* workloads = phase.find("workloads");
  return workloads != nullptr ? workloads->find(workload) : nullptr;
}

void erase_member(Node& map, std::string_view key) {
  std::erase_if(map.items, [&](const Node& item) { return item.key == key; });
}

// A workload's keys over those of the phase. Its own length stands in place of the phase's, in whatever it is
// given.
void merge_phase(Node& phase, Node over) {
  for (const char* key : kOfThePhase) erase_member(over, key);
  const bool has_length = std::any_of(kLengths.begin(), kLengths.end(),
                                      [&](const char* key) { return over.find(key) != nullptr; });
  for (const char* key : kLengths) {
    if (has_length) erase_member(phase, key);
  }
  merge_over(phase, over);
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + escape_terminal(name, 64);
  return text;
}

class Splitter {
 public:
  Splitter(const Node& root, std::vector<Error>& faults) : root_(root), faults_(faults) {}

  std::vector<WorkloadTree> split() {
    std::vector<WorkloadTree> trees;
    read_names();
    if (names_.empty()) return refuse_entries(), trees;
    check_sweep();
    name_phases();
    check_phases();
    for (size_t i = 0; i < names_.size(); ++i) trees.push_back({names_[i], tree_of(*items_[i], names_[i])});
    return trees;
  }

 private:
  void fault_at(const Node& node, const std::string& sentence) {
    if (!node.unresolved) faults_.push_back(fault_at_value(node, sentence));
  }

  void read_names() {
    const Node* list = std::as_const(root_).find("workloads");
    if (list == nullptr || list->kind != Node::Kind::sequence) return;
    for (const Node& item : list->items) {
      const Node* name = item.find("name");
      if (name == nullptr || name->kind != Node::Kind::scalar || name->text.empty()) continue;
      if (std::find(names_.begin(), names_.end(), name->text) != names_.end()) {
        fault_at(*name, "two workloads are named \"" + escape_terminal(name->text, 64) + "\"");
        continue;
      }
      names_.push_back(name->text);
      items_.push_back(&item);
    }
  }

  // Of a file that has no workloads. Where the list has faults, those are told.
  void refuse_entries() {
    const Node* phases = std::as_const(root_).find("phases");
    if (root_.find("workloads") != nullptr || phases == nullptr) return;
    for (const Node& phase : phases->items) {
      const Node* entries = phase.find("workloads");
      if (entries != nullptr)
        faults_.push_back(fault_at_key(*entries, "there are no \"workloads\" in this file"));
    }
  }

  void check_sweep() {
    if (root_.find("sweep") == nullptr) return;
    faults_.push_back(fault_at_key(*root_.find("workloads"),
                                   "a sweep has one load: give only one of \"workloads\", \"sweep\""));
  }

  // As they would be named without workloads: a phase that is left out must not rename the others.
  void name_phases() {
    Node* phases = root_.find("phases");
    for (size_t i = 0; phases != nullptr && i < phases->items.size(); ++i) {
      Node& phase = phases->items[i];
      if (phase.kind != Node::Kind::map || phase.find("name") != nullptr) continue;
      Node name = map_at(phase);
      name.kind = Node::Kind::scalar;
      name.key = "name";
      name.path = member_path(phase.path, "name");
      name.text = name.raw = phases->items.size() == 1 ? "main" : "phase" + std::to_string(i + 1);
      phase.items.push_back(std::move(name));
    }
  }

  void check_phases() {
    const Node* phases = std::as_const(root_).find("phases");
    for (size_t i = 0; phases != nullptr && i < phases->items.size(); ++i) {
      const Node* entries = phases->items[i].find("workloads");
      if (entries != nullptr && entries->kind == Node::Kind::map) check_entries(*entries);
    }
  }

  void check_entries(const Node& entries) {
    if (entries.items.empty()) fault_at(entries, "is empty; name a workload: " + list_of(names_));
    size_t held_back = 0;
    for (const Node& entry : entries.items) {
      check_name(entry);
      held_back += is_held_back(entry);
      if (is_held_back(entry)) continue;
      if (entry.kind != Node::Kind::map)
        fault_at(entry, "must be off, or what the workload has of its own in this phase, such as load " +
                            got(entry));
      for (const char* key : kOfThePhase) {
        const Node* member = entry.find(key);
        if (member != nullptr)
          faults_.push_back(fault_at_key(*member, "is the same for all workloads of a phase"));
      }
    }
    if (held_back > 0 && held_back == names_.size())
      fault_at(entries, "holds back all workloads; leave out the phase");
  }

  void check_name(const Node& entry) {
    if (std::find(names_.begin(), names_.end(), entry.key) != names_.end()) return;
    const auto near = nearest_name(entry.key, names_);
    faults_.push_back(fault_at_key(
        entry, "there is no workload of that name; " +
                   (near ? "did you mean \"" + *near + "\"?" : "there are: " + list_of(names_))));
  }

  Node tree_of(const Node& item, const std::string& name) {
    Node tree = root_;
    if (tree.find("version") != nullptr && tree.find("target") != nullptr) {
      tree.path = item.path;  // what is missing then is missing here
      tree.key_position = item.key_position;
    }
    for (const char* section : kWorkloadSections) {
      const Node* over = item.find(section);
      Node* base = tree.find(section);
      if (over == nullptr) continue;
      if (base != nullptr) {
        merge_over(*base, *over);
      } else {
        tree.items.push_back(*over);
      }
    }
    if (Node* phases = tree.find("phases")) keep_phases(*phases, item, name);
    return tree;
  }

  void keep_phases(Node& phases, const Node& item, const std::string& name) {
    std::vector<Node> kept;
    for (Node& phase : phases.items) {
      const Node* entry = entry_of(phase, name);
      if (entry != nullptr && is_held_back(*entry)) continue;
      if (entry != nullptr && entry->kind == Node::Kind::map) merge_phase(phase, *entry);
      kept.push_back(std::move(phase));
    }
    if (kept.empty() && !phases.items.empty())
      return fault_at(*item.find("name"), "is held back in every phase; leave out the workload");
    phases.items = std::move(kept);
  }

  Node root_;  // with the names of its phases
  std::vector<Error>& faults_;
  std::vector<std::string> names_;
  std::vector<const Node*> items_;  // of root_, by name
};

// The phases of the run, in their order, each as the first workload has it that plays in it.
std::vector<RunFile::Phase> phases_of(const Node& root, const std::vector<RunFile>& files) {
  std::vector<RunFile::Phase> phases;
  for (const std::string& name : phase_names(root)) {
    for (const RunFile& file : files) {
      const RunFile::Phase* phase = file.find_phase(name);
      if (phase == nullptr) continue;
      phases.push_back(*phase);
      break;
    }
  }
  return phases.empty() ? files.front().phases : phases;
}

}  // namespace

std::vector<WorkloadTree> workload_trees(const Node& root, std::vector<Error>& faults) {
  return Splitter(root, faults).split();
}

RunFile join_workloads(const Node& root, const std::vector<WorkloadTree>& trees, std::vector<RunFile> files) {
  for (size_t i = 0; i < files.size(); ++i) files[i].workload = trees[i].name;
  RunFile run = files.front();
  run.phases = phases_of(root, files);
  run.resolved_json = resolve_workloads(root, files);
  for (RunFile& file : files) {
    file.seed = tkm::Random(file.seed, "workload " + file.workload).bits();
    run.secrets.insert(run.secrets.end(), file.secrets.begin(), file.secrets.end());
    run.warnings.insert(run.warnings.end(), file.warnings.begin(), file.warnings.end());
  }
  run.workloads = std::move(files);
  return run;
}

}  // namespace tokometer

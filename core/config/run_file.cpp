#include "config/run_file.hpp"

#include <algorithm>
#include <filesystem>
#include <tokometer/json.hpp>
#include <tuple>

#include "base/text.hpp"
#include "config/merge.hpp"
#include "config/schema.hpp"
#include "config/sections.hpp"
#include "config/sentences.hpp"
#include "config/workloads.hpp"

namespace tokometer {

namespace embedded {
extern const std::string_view run_schema;
extern const std::string_view sim_options_schema;
}  // namespace embedded

namespace {

using tkm::Json;
using tkm::JsonDocument;

constexpr size_t kMaxFaults = 20;
constexpr size_t kMaxNameBytes = 64;

// Our own schemas are part of the program: that they parse is tested, not hoped for.
const Schema& own_schema(std::string_view text) {
  static const Schema run = std::move(*Schema::parse(embedded::run_schema));
  static const Schema sim = std::move(*Schema::parse(embedded::sim_options_schema));
  return text == embedded::run_schema ? run : sim;
}

class Reader {
 public:
  Reader(const Node& root, const OptionSchema& option_schema) : root_(root), option_schema_(option_schema) {
    if (root_.kind == Node::Kind::map && root_.find("name") == nullptr) root_.items.push_back(default_name());
  }

  // The whole file. What went wrong is in faults().
  RunFile read() {
    const Checked checked = take(own_schema(embedded::run_schema).check(root_));
    JsonDocument canonical;
    tkm::parse_json(checked.canonical_json, canonical);
    tkm::parse_json(checked.resolved_json, resolved_);
    read_sections(canonical, root_, out_, faults_);
    sim_options();
    component("processor", root_.find("processor"), out_.processor, find_resolved(resolved_, "processor"));
    component("dataset", root_.find("dataset"), out_.dataset, find_resolved(resolved_, "dataset"));
    tokenizer();
    if (out_.sweep) {
      sweep_loads();
    } else {
      component("load", root_.find("load"), out_.load, find_resolved(resolved_, "load"));
      phase_loads();
    }
    tkm::JsonWriter(out_.resolved_json).value(resolved_);
    return std::move(out_);
  }

  std::vector<Error>& faults() { return faults_; }

 private:
  // "chat" for chat.yaml; "run" where the file has no name that a directory could carry.
  Node default_name() const {
    std::string stem = std::filesystem::path(root_.value_position.file).stem().string();
    constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    std::replace_if(
        stem.begin(), stem.end(), [&](char c) { return kAllowed.find(c) == kAllowed.npos; }, '-');
    stem.resize(std::min(stem.size(), kMaxNameBytes));
    Node name;
    name.key = name.path = "name";
    name.text = name.raw = stem.find_first_not_of("-.") == std::string::npos ? "run" : stem;
    return name;
  }

  rapidjson::Document::AllocatorType& memory() { return resolved_.GetAllocator(); }

  // Collects what a check found besides its JSON.
  Checked take(Checked checked) {
    faults_.insert(faults_.end(), checked.faults.begin(), checked.faults.end());
    out_.warnings.insert(out_.warnings.end(), checked.warnings.begin(), checked.warnings.end());
    out_.secrets.insert(out_.secrets.end(), checked.secrets.begin(), checked.secrets.end());
    return checked;
  }

  static Json* find_resolved(Json& object, const char* key) {
    return object.IsObject() && object.HasMember(key) && object[key].IsObject() ? &object[key] : nullptr;
  }

  void put(Json& object, const char* key, Json value) {
    if (object.HasMember(key)) {
      object[key] = value;
    } else {
      object.AddMember(Json(key, memory()), value, memory());
    }
  }

  void put_json(Json* object, const char* key, const std::string& json) {
    JsonDocument value;
    if (object == nullptr || !tkm::parse_json(json, value)) return;
    put(*object, key, Json(value, memory()));
  }

  void sim_options() {
    const Node* target = root_.find("target");
    const Node* sim = target != nullptr ? target->find("sim") : nullptr;
    if (sim == nullptr || sim->kind != Node::Kind::map) return;
    const Checked checked = take(own_schema(embedded::sim_options_schema).check(*sim));
    out_.target.sim_options_json = checked.canonical_json;
    put_json(find_resolved(resolved_, "target"), "sim", checked.resolved_json);
  }

  // The options that a component's section gives, or an empty map at the section's place.
  static Node options_of(const Node& section) {
    if (const Node* options = section.find("options")) return *options;
    Node empty;
    empty.kind = Node::Kind::map;
    empty.key = "options";
    empty.key_position = empty.value_position = section.key_position;
    empty.path = member_path(section.path, "options");
    return empty;
  }

  static bool is_file(const std::string& use) { return use.ends_with(".so"); }

  // The schema of what a section uses, its faults already told; nullptr: there is none to check against.
  std::optional<Schema> schema_of(std::string_view kind, const Node& use) {
    if (is_file(use.text) && !std::filesystem::path(use.text).is_absolute()) {
      faults_.push_back(fault_at_value(use, "must be a plugin's name or an absolute path " + got(use)));
      return std::nullopt;
    }
    auto text = option_schema_(kind, use.text);
    if (!text) {
      for (const Error& error : text.errors()) faults_.push_back(fault_at_value(use, error.message));
      return std::nullopt;
    }
    auto schema = Schema::parse(*text);
    if (!schema) {
      faults_.push_back(
          fault_at_value(use, "plugin \"" + escape_terminal(use.text, 80) + "\": " + schema.error().message));
      return std::nullopt;
    }
    return std::move(*schema);
  }

  void component(std::string_view kind, const Node* section, RunFile::Component& out, Json* resolved) {
    if (section == nullptr || section->kind != Node::Kind::map) return;
    const Node* use = section->find("use");
    const bool readable = use != nullptr && use->kind == Node::Kind::scalar && !use->unresolved &&
                          use->type() == Node::Type::text && !use->text.empty();
    if (!readable) return;  // missing or faulty: the schema said so
    out.use = use->text;
    const Node options = options_of(*section);
    if (options.kind != Node::Kind::map) return;
    const std::optional<Schema> schema = schema_of(kind, *use);
    if (!schema) return;
    const Checked checked = take(schema->check(options));
    out.options_json = checked.canonical_json;
    if (resolved != nullptr) put(*resolved, "use", Json(out.use.c_str(), memory()));
    put_json(resolved, "options", checked.resolved_json);
  }

  void tokenizer() {
    const Node* model = root_.find("model");
    Json* resolved = find_resolved(resolved_, "model");
    if (model == nullptr) return;
    component("tokenizer", model->find("tokenizer"), out_.tokenizer,
              resolved != nullptr ? find_resolved(*resolved, "tokenizer") : nullptr);
  }

  // A phase's keys merge over the run's load; another `use` drops the run's options.
  static Node merged_load(const Node* base, const Node& over) {
    if (base == nullptr || base->kind != Node::Kind::map) return over;
    Node merged = *base;
    merged.path = over.path;
    merged.key_position = over.key_position;
    const Node *old_use = base->find("use"), *new_use = over.find("use");
    if (new_use != nullptr && (old_use == nullptr || old_use->text != new_use->text)) {
      std::erase_if(merged.items, [](const Node& item) { return item.key == "options"; });
    }
    merge_over(merged, over);
    return merged;
  }

  void phase_loads() {
    const Node* base = root_.find("load");
    const Node* phases = root_.find("phases");
    size_t next = 0;
    bool all_have_use = phases != nullptr && phases->kind == Node::Kind::sequence;
    for (RunFile::Phase& phase : out_.phases) {
      phase.load = out_.load;
      const Node* node = phase_node(phases, next);
      const Node* over = node != nullptr ? node->find("load") : nullptr;
      all_have_use &= over != nullptr && over->find("use") != nullptr;
      if (over == nullptr || over->kind != Node::Kind::map) continue;
      const Node merged = merged_load(base, *over);
      Json* resolved = resolved_phase_load(next - 1);
      if (resolved != nullptr) resolved->SetObject();
      component("load", &merged, phase.load, resolved);
      if (merged.find("use") == nullptr && base != nullptr) {
        faults_.push_back(fault_at_key(*over, "\"use\" is missing, here and in \"load\""));
      }
    }
    if (base == nullptr && !all_have_use && root_.kind == Node::Kind::map) {
      faults_.push_back(fault_at_key(root_, "\"load\" is missing"));
    } else if (base != nullptr && base->kind == Node::Kind::map && base->find("use") == nullptr &&
               !all_have_use) {
      faults_.push_back(fault_at_key(*base, "\"use\" is missing"));
    }
  }

  // `load` with a number at the option in which the points differ, where `value` stands in the file.
  static Node load_with(Node load, const std::string& option, const Node& value) {
    Node* options = load.find("options");
    if (options == nullptr) {
      load.items.push_back(options_of(load));
      options = &load.items.back();
    }
    if (options->kind != Node::Kind::map) return load;
    Node member = value;
    member.key = option;
    member.path = value.path;
    put_member(*options, std::move(member));
    return load;
  }

  static Node one_at(const Node& place) {
    Node node = map_at(place);
    node.kind = Node::Kind::scalar;
    node.plain = true;
    node.text = node.raw = "1";
    return node;
  }

  static Node load_of(const Node& place, const char* use) {
    Node name = map_at(place);
    name.kind = Node::Kind::scalar;
    name.key = "use";
    name.text = name.raw = use;
    Node load = map_at(place);
    load.key = "load";
    load.items.push_back(std::move(name));
    return load;
  }

  // The loads of all points go through the plugin's schema now: a value that it refuses is a fault of the
  // file.
  void sweep_loads() {
    RunFile::Sweep& sweep = *out_.sweep;
    const Node& node = *root_.find("sweep");
    const Node* written = root_.find("load");
    const Node load = written != nullptr ? *written : load_of(node, "constant");
    if (load.kind != Node::Kind::map) return;
    if (!has_option(load, sweep.option, node)) return;
    RunFile::Component checked;
    const Node synchronous = load_of(node, "synchronous"), throughput = load_of(node, "throughput");
    component("load", &synchronous, sweep.synchronous, nullptr);
    component("load", &throughput, sweep.throughput, nullptr);
    for (const Node& value : sweep_values(node)) {
      const Node point = load_with(load, sweep.option, value);
      component("load", &point, checked, nullptr);
      if (sweep.point.load.use.empty()) sweep.point.load = checked;
    }
    if (load.find("use") == nullptr) faults_.push_back(fault_at_key(load, "\"use\" is missing"));
    out_.load = sweep.point.load;
  }

  bool has_option(const Node& load, const std::string& option, const Node& sweep) {
    const Node* use = load.find("use");
    if (use == nullptr) return true;
    const auto text = option_schema_("load", use->text);
    JsonDocument schema;
    if (!text || !tkm::parse_json(*text, schema)) return true;  // told elsewhere
    const Json* properties = tkm::find(schema, "properties");
    if (properties != nullptr && tkm::find(*properties, option) != nullptr) return true;
    std::vector<std::string> names;
    if (properties != nullptr && properties->IsObject()) {
      for (const auto& property : properties->GetObject()) names.emplace_back(tkm::text_of(property.name));
    }
    const Node* over = sweep.find("over");
    faults_.push_back(fault_at_value(over != nullptr ? *over : sweep,
                                     "the load \"" + escape_terminal(use->text, 80) + "\": " +
                                         escape_terminal(option, 80) + ": " + unknown_key(option, names)));
    return false;
  }

  // The numbers that the file names, where they stand; else one that any pattern takes.
  static std::vector<Node> sweep_values(const Node& node) {
    std::vector<Node> values;
    for (const char* key : {"values", "between"}) {
      const Node* list = node.find(key);
      for (size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
        const Node& item = list->items[i];
        const bool is_number = item.kind == Node::Kind::scalar && !item.unresolved &&
                               (item.type() == Node::Type::integer || item.type() == Node::Type::number);
        if (is_number) values.push_back(item);
      }
    }
    if (values.empty()) values.push_back(one_at(node));
    return values;
  }

  // Written in full: the same load results when the file is run again.
  Json* resolved_phase_load(size_t index) {
    Json* phases = resolved_.IsObject() && resolved_.HasMember("phases") ? &resolved_["phases"] : nullptr;
    if (phases == nullptr || !phases->IsArray() || index >= phases->Size()) return nullptr;
    return find_resolved((*phases)[static_cast<rapidjson::SizeType>(index)], "load");
  }

  // The node of the next phase that sections.cpp made a Phase of: those that are maps.
  static const Node* phase_node(const Node* phases, size_t& next) {
    while (phases != nullptr && next < phases->items.size()) {
      const Node& node = phases->items[next++];
      if (node.kind == Node::Kind::map) return &node;
    }
    return nullptr;
  }

  Node root_;  // with its name filled in
  const OptionSchema& option_schema_;
  RunFile out_;
  JsonDocument resolved_;
  std::vector<Error> faults_;
};

void check_gates(const Node& root, const GateFault& gate_fault, std::vector<Error>& faults) {
  const Node* slo = root.find("slo");
  const Node* gates = slo != nullptr ? slo->find("gates") : nullptr;
  if (gates == nullptr || !gate_fault) return;
  for (const Node& gate : gates->items) {
    const bool is_text =
        gate.kind == Node::Kind::scalar && gate.type() == Node::Type::text && !gate.unresolved;
    if (!is_text) continue;
    if (const auto sentence = gate_fault(gate.text)) faults.push_back(fault_at_value(gate, *sentence));
  }
}

// In the order of the file, each once.
void sort_unique(std::vector<Error>& errors) {
  const auto rank = [](const Error& e) { return std::tie(e.file, e.line, e.column, e.message); };
  std::stable_sort(errors.begin(), errors.end(),
                   [&](const Error& a, const Error& b) { return rank(a) < rank(b); });
  errors.erase(std::unique(errors.begin(), errors.end(),
                           [&](const Error& a, const Error& b) { return rank(a) == rank(b); }),
               errors.end());
}

std::vector<Error> first_faults(std::vector<Error> faults) {
  sort_unique(faults);
  if (faults.size() <= kMaxFaults) return faults;
  const size_t rest = faults.size() - kMaxFaults;
  faults.resize(kMaxFaults);
  faults.push_back({"and " + std::to_string(rest) + (rest == 1 ? " more fault" : " more faults")});
  return faults;
}

RunFile read_tree(const Node& root, const OptionSchema& option_schema, const GateFault& gate_fault,
                  std::vector<Error>& faults) {
  Reader reader(root, option_schema);
  RunFile file = reader.read();
  faults.insert(faults.end(), reader.faults().begin(), reader.faults().end());
  check_gates(root, gate_fault, faults);
  return file;
}

}  // namespace

const RunFile::Phase* RunFile::find_phase(std::string_view phase_name) const {
  const auto found = std::find_if(phases.begin(), phases.end(),
                                  [&](const Phase& phase) { return phase.name == phase_name; });
  return found == phases.end() ? nullptr : &*found;
}

Result<RunFile> read_run_file(const Document& document, const OptionSchema& option_schema,
                              const GateFault& gate_fault) {
  std::vector<Error> faults;
  const std::vector<WorkloadTree> trees = workload_trees(document.root, faults);
  std::vector<RunFile> files;
  for (const WorkloadTree& tree : trees)
    files.push_back(read_tree(tree.root, option_schema, gate_fault, faults));
  RunFile run_file = files.empty() ? read_tree(document.root, option_schema, gate_fault, faults)
                                   : join_workloads(document.root, trees, std::move(files));
  faults.insert(faults.end(), document.faults.begin(), document.faults.end());
  if (!faults.empty()) return first_faults(std::move(faults));
  sort_unique(run_file.warnings);
  return run_file;
}

std::string_view run_schema() {
  return embedded::run_schema;
}

}  // namespace tokometer

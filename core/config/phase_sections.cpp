// The phases: how long each lasts, what of it is measured, how it ends.
#include <set>

#include "base/text.hpp"
#include "config/section_values.hpp"
#include "config/sections.hpp"
#include "config/sentences.hpp"

namespace tokometer {
namespace {

using namespace section;  // NOLINT: made for this file

// Duration, warm-up, cool-down and drain of a phase or a point.
class SpanReader {
 public:
  SpanReader(const Node& node, std::vector<Error>& faults) : node_(node), faults_(faults) {}

  void read(const Json& json, RunFile::Phase& phase) {
    phase.duration_ns = find_ns(json, "duration");
    phase.warmup = span(node_.find("warmup"));
    phase.cooldown = span(node_.find("cooldown"));
    read_word(json, "drain", std::array<std::string_view, 3>{"wait", "cancel", "none"}, phase.drain);
    check_warmup(node_.find("warmup"), phase);
  }

 private:
  void fault_at(const Node* node, const std::string& sentence) {
    if (node != nullptr && !node->unresolved) faults_.push_back(fault_at_value(*node, sentence));
  }

  RunFile::Span span(const Node* node) {
    using Kind = RunFile::Span::Kind;
    if (node == nullptr || node->kind != Node::Kind::scalar || node->unresolved || node->text == "auto")
      return {};
    if (node->text == "none") return {Kind::none, 0, 0};
    if (node->type() == Node::Type::integer) {
      if (const uint64_t count = count_of(node->text); count > 0) return {Kind::count, 0, count};
    } else if (const auto ns = parse_duration_ns(node->text)) {
      return *ns > 0 ? RunFile::Span{Kind::duration, *ns, 0} : RunFile::Span{Kind::none, 0, 0};
    } else if (node->type() != Node::Type::text) {
      return {};  // the schema said so already
    }
    fault_at(node, "must be auto, none, a time such as 10s, or a number of requests " + got(*node));
    return {};
  }

  void check_warmup(const Node* node, const RunFile::Phase& phase) {
    using Kind = RunFile::Span::Kind;
    if (phase.warmup.kind == Kind::duration && phase.duration_ns && phase.warmup.ns >= *phase.duration_ns) {
      fault_at(node, "must be shorter than the phase's duration, " + format_duration(*phase.duration_ns) +
                         ", which it is part of " + got(*node));
    }
    if (phase.warmup.kind == Kind::count && phase.requests && phase.warmup.count >= *phase.requests) {
      fault_at(node, "must be less than the phase's requests, " + std::to_string(*phase.requests) +
                         ", which it is part of " + got(*node));
    }
  }

  const Node& node_;
  std::vector<Error>& faults_;
};

class PhaseReader {
 public:
  PhaseReader(const Node& root, RunFile& out, std::vector<Error>& faults)
      : root_(root), out_(out), faults_(faults) {}

  void read(const Json& json) {
    const Json* list = tkm::find(json, "phases");
    const Node* nodes = root_.find("phases");
    if (list == nullptr && nodes == nullptr) {
      out_.phases.emplace_back().name = "main";
      if (root_.kind == Node::Kind::map && out_.rows.on_end != RunFile::Rows::OnEnd::stop) {
        faults_.push_back(fault_at_key(
            root_, "\"phases\" is missing (or dataset.rows.on_end: stop, to end with the data)"));
      }
      return;
    }
    if (list == nullptr || !list->IsArray() || nodes->kind != Node::Kind::sequence) return;
    std::set<std::string> names;
    for (size_t index = 0; index < nodes->items.size(); ++index) {
      const Node& node = nodes->items[index];
      if (node.kind != Node::Kind::map) continue;
      RunFile::Phase& phase = out_.phases.emplace_back();
      phase.name = tkm::get_string((*list)[static_cast<rapidjson::SizeType>(index)], "name",
                                   nodes->items.size() == 1 ? "main" : "phase" + std::to_string(index + 1));
      if (!names.insert(phase.name).second) {
        const Node* name = node.find("name");
        fault_at(name != nullptr ? name : &node, "two phases are named \"" + phase.name + "\"");
      }
      read_phase((*list)[static_cast<rapidjson::SizeType>(index)], node, phase);
    }
  }

 private:
  void fault_at(const Node* node, const std::string& sentence) {
    if (node != nullptr && !node->unresolved) faults_.push_back(fault_at_value(*node, sentence));
  }

  void read_phase(const Json& json, const Node& node, RunFile::Phase& phase) {
    if (const int64_t requests = tkm::get_int(json, "requests", 0); requests > 0) {
      phase.requests = static_cast<uint64_t>(requests);
    }
    if (const int64_t sessions = tkm::get_int(json, "sessions", 0); sessions > 0) {
      phase.sessions = static_cast<uint64_t>(sessions);
    }
    int given = 0;
    for (const char* limit : {"duration", "requests", "sessions"}) given += node.find(limit) != nullptr;
    const bool ends_with_data = out_.rows.on_end == RunFile::Rows::OnEnd::stop;
    if (given > 1) fault_at(&node, "give only one of \"duration\", \"requests\", \"sessions\"");
    if (given == 0 && !ends_with_data)
      fault_at(&node, "give one of \"duration\", \"requests\", \"sessions\"");
    phase.measure = tkm::get_bool(json, "measure", true);
    read_phase_spans(json, node, phase, faults_);
  }

  const Node& root_;
  RunFile& out_;
  std::vector<Error>& faults_;
};

}  // namespace

void read_phase_spans(const tkm::Json& json, const Node& node, RunFile::Phase& phase,
                      std::vector<Error>& faults) {
  SpanReader(node, faults).read(json, phase);
}

void read_phases(const tkm::Json& canonical, const Node& root, RunFile& out, std::vector<Error>& faults) {
  PhaseReader(root, out, faults).read(canonical);
}

}  // namespace tokometer

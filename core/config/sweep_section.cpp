// The sweep: which points, how long each lasts, when it stops. Their load is read with the plugins' options.
#include "base/text.hpp"
#include "config/section_values.hpp"
#include "config/sections.hpp"
#include "config/sentences.hpp"

namespace tokometer {
namespace {

using namespace section;  // NOLINT: made for this file

constexpr std::string_view kOver = "load.options.";
constexpr double kLeastWithin = 0.001;

class SweepReader {
 public:
  SweepReader(const Node& root, RunFile& out, std::vector<Error>& faults)
      : root_(root), node_(*root.find("sweep")), out_(out), faults_(faults) {}

  void read(const Json& json) {
    if (root_.find("phases") != nullptr) fault_at(&node_, "give only one of \"phases\", \"sweep\"");
    if (out_.rows.on_end == RunFile::Rows::OnEnd::stop) {
      fault_at(&node_, "a sweep cannot end with the data: set dataset.rows.on_end to repeat or error");
    }
    RunFile::Sweep& sweep =
        *(out_.sweep = RunFile::Sweep{});  // clang 14 knows no emplace() of a nested class
    if (node_.kind != Node::Kind::map) return;
    read_word(json, "method", std::array<std::string_view, 3>{"even", "list", "bisect"}, sweep.method);
    sweep.points = static_cast<uint64_t>(std::max<int64_t>(tkm::get_int(json, "points", 10), 3));
    sweep.within = tkm::get_number(json, "within", sweep.within);
    read_word(json, "stop", std::array<std::string_view, 2>{"saturated", "never"}, sweep.stop);
    over(json, sweep);
    values(json, sweep);
    between(json, sweep);
    check_method(sweep);
    const Node* point = node_.find("point");
    read_phase_spans(child(json, "point"), point != nullptr ? *point : empty_map(), sweep.point, faults_);
  }

 private:
  static const Node& empty_map() {
    static const Node map = [] {
      Node node;
      node.kind = Node::Kind::map;
      return node;
    }();
    return map;
  }

  void fault_at(const Node* node, const std::string& sentence) {
    if (node != nullptr && !node->unresolved) faults_.push_back(fault_at_value(*node, sentence));
  }

  void over(const Json& json, RunFile::Sweep& sweep) {
    const std::string_view path = tkm::get_string(json, "over", "load.options.rate");
    if (path.starts_with(kOver) && path.find('.', kOver.size()) == path.npos && path.size() > kOver.size()) {
      sweep.option = path.substr(kOver.size());
      return;
    }
    fault_at(node_.find("over"), "must name an option of the load, such as load.options.users " +
                                     got(*node_.find("over")) + "; for other keys there is \"matrix\"");
  }

  void values(const Json& json, RunFile::Sweep& sweep) {
    const Json* list = tkm::find(json, "values");
    const Node* nodes = node_.find("values");
    if (list == nullptr || !list->IsArray() || nodes == nullptr) return;
    for (rapidjson::SizeType i = 0; i < list->Size(); ++i) {
      const Json& value = (*list)[i];
      if (value.IsNumber()) {
        sweep.values.push_back({"", value.GetDouble()});
      } else if (value.IsString()) {
        sweep.values.push_back({std::string(tkm::text_of(value)), 0});
        if (sweep.values.back().pattern != "synchronous" && sweep.values.back().pattern != "throughput") {
          fault_at(&nodes->items[i], "must be a number, synchronous or throughput " + got(nodes->items[i]));
        }
      }
    }
  }

  void between(const Json& json, RunFile::Sweep& sweep) {
    const Json* pair = tkm::find(json, "between");
    if (pair == nullptr || !pair->IsArray() || pair->Size() != 2) return;
    if (!(*pair)[0].IsNumber() || !(*pair)[1].IsNumber()) return;
    sweep.between = {(*pair)[0].GetDouble(), (*pair)[1].GetDouble()};
    if (sweep.between->first >= sweep.between->second) {
      fault_at(node_.find("between"), "the first value must be less than the second");
    }
  }

  // A key that another method reads would change nothing: it is refused.
  void check_method(const RunFile::Sweep& sweep) {
    using Method = RunFile::Sweep::Method;
    only("points", Method::even, sweep.method, "even");
    only("values", Method::list, sweep.method, "list");
    only("between", Method::bisect, sweep.method, "bisect");
    only("within", Method::bisect, sweep.method, "bisect");
    if (sweep.method == Method::list && node_.find("values") == nullptr) {
      fault_at(&node_, "method list needs \"values\"");
    }
    if (sweep.method == Method::even && sweep.option != "rate") {
      fault_at(node_.find("over"), "method even steps through rates; use list or bisect for other options");
    }
    if (sweep.method != Method::bisect) return;
    if (sweep.option != "rate" && !sweep.between) {
      fault_at(&node_, "\"between\" is needed where \"over\" is no rate");
    }
    if (out_.slo.gates.empty())
      fault_at(&node_, "method bisect looks for the highest value whose gates hold: give slo.gates");
    if (sweep.within < kLeastWithin || sweep.within >= 1) {
      fault_at(node_.find("within"), "must be from 0.1% to 99% " + got(*node_.find("within")));
    }
  }

  void only(std::string_view key, RunFile::Sweep::Method needed, RunFile::Sweep::Method method,
            const char* name) {
    if (needed == method || node_.find(key) == nullptr) return;
    fault_at(node_.find(key), std::string("belongs to method ") + name);
  }

  const Node& root_;
  const Node& node_;
  RunFile& out_;
  std::vector<Error>& faults_;
};

}  // namespace

void read_sweep(const tkm::Json& canonical, const Node& root, RunFile& out, std::vector<Error>& faults) {
  SweepReader(root, out, faults).read(child(canonical, "sweep"));
}

}  // namespace tokometer

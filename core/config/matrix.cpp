#include "config/matrix.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.hpp"
#include "config/overrides.hpp"

namespace tokometer {
namespace {

constexpr size_t kMostCells = 10'000;
constexpr uint64_t kMostRepeats = 1'000;
constexpr size_t kNameBytes = 120;

// One place in the run file and the values that it takes.
struct Axis {
  std::string path;
  std::vector<Node> values;
};
using Entry = std::vector<Axis>;  // zipped: all have the same number of values

std::string path_safe(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  std::string safe(text);
  std::replace_if(
      safe.begin(), safe.end(), [&](char c) { return kAllowed.find(c) == kAllowed.npos; }, '-');
  return safe;
}

std::string text_of(const Node& value) {
  return value.kind == Node::Kind::scalar ? value.text : to_json(value);
}

class Expander {
 public:
  explicit Expander(Document document) : base_(std::move(document)) {}

  Result<Matrix> expand() {
    Matrix matrix;
    read_repeat(matrix);
    const std::vector<Entry> entries = read_entries();
    if (!faults_.empty()) return faults_;
    matrix.json = written_json();
    std::erase_if(base_.root.items,
                  [](const Node& item) { return item.key == "matrix" || item.key == "repeat"; });
    add_cells(matrix, entries, 0, {"", {}, base_});
    if (!faults_.empty()) return faults_;
    return matrix;
  }

 private:
  void fault(const Node& node, const std::string& sentence) {
    if (!node.unresolved) faults_.push_back(fault_at_value(node, sentence));
  }

  std::string written_json() const {
    Node both = base_.root;
    std::erase_if(both.items, [](const Node& item) { return item.key != "matrix" && item.key != "repeat"; });
    return to_json(both);
  }

  void read_repeat(Matrix& matrix) {
    const Node* node = base_.root.find("repeat");
    if (node == nullptr) return;
    const std::string& text = node->text;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), matrix.repeat);
    const bool is_number = node->kind == Node::Kind::scalar && node->type() == Node::Type::integer &&
                           read.ec == std::errc() && read.ptr == text.data() + text.size();
    if (!is_number || matrix.repeat < 1 || matrix.repeat > kMostRepeats) {
      fault(*node, "must be a whole number from 1 to " + std::to_string(kMostRepeats));
    }
  }

  std::vector<Entry> read_entries() {
    std::vector<Entry> entries;
    const Node* matrix = base_.root.find("matrix");
    if (matrix == nullptr) return entries;
    if (matrix->kind != Node::Kind::sequence || matrix->items.empty()) {
      fault(*matrix, "must be a list of maps, such as [{load.options.users: [1, 5, 10]}]");
      return entries;
    }
    size_t cells = 1;
    for (const Node& item : matrix->items) {
      entries.push_back(read_entry(item));
      if (!entries.back().empty()) cells *= entries.back().front().values.size();
      if (cells > kMostCells) {
        fault(*matrix, "more than " + std::to_string(kMostCells) + " runs");
        break;
      }
    }
    return entries;
  }

  Entry read_entry(const Node& item) {
    Entry entry;
    if (item.kind != Node::Kind::map || item.items.empty()) {
      fault(item, "must be a map, such as {load.options.users: [1, 5, 10]}");
      return entry;
    }
    for (const Node& axis : item.items) {
      const std::string root = axis.key.substr(0, axis.key.find('.'));
      if (root == "matrix" || root == "repeat" || root == "output" || root == "version") {
        fault(axis, "\"" + root + "\" is the same for all runs of a matrix");
      } else if (!paths_.insert(axis.key).second) {
        fault(axis, "\"" + escape_terminal(axis.key, 80) + "\" stands in the matrix twice");
      } else if (axis.kind != Node::Kind::sequence || axis.items.empty()) {
        fault(axis, "must be a list of values");
      } else if (!entry.empty() && axis.items.size() != entry.front().values.size()) {
        fault(axis, "has " + std::to_string(axis.items.size()) + " values, \"" + entry.front().path +
                        "\" has " + std::to_string(entry.front().values.size()) +
                        ": lists in one entry go together; cross them in entries of their own");
      } else {
        entry.push_back({axis.key, axis.items});
      }
    }
    return entry;
  }

  void add_cells(Matrix& matrix, const std::vector<Entry>& entries, size_t depth, const MatrixCell& so_far) {
    if (depth == entries.size()) {
      MatrixCell cell = so_far;
      cell.name = unique(cell.name.substr(0, kNameBytes));
      return matrix.cells.push_back(std::move(cell));
    }
    for (size_t i = 0; i < entries[depth].front().values.size(); ++i) {
      MatrixCell cell = so_far;
      for (const Axis& axis : entries[depth]) put(cell, axis.path, axis.values[i]);
      add_cells(matrix, entries, depth + 1, cell);
    }
  }

  void put(MatrixCell& cell, const std::string& path, const Node& value) {
    const std::string text = text_of(value);
    cell.values.emplace_back(path, text);
    const std::string last = path.substr(path.rfind('.') + 1);
    cell.name += (cell.name.empty() ? "" : ".") + path_safe(last + "-" + text);
    const std::string sentence = put_value(cell.document, path, value);
    if (!sentence.empty()) fault(value, "\"" + escape_terminal(path, 80) + "\": " + sentence);
  }

  std::string unique(const std::string& name) {
    if (name.empty()) return name;
    std::string free = name.front() == '.' ? "_" + name : name;
    for (int n = 2; !names_.insert(free).second; ++n) free = name + "-" + std::to_string(n);
    return free;
  }

  Document base_;
  std::set<std::string> paths_, names_;
  std::vector<Error> faults_;
};

}  // namespace

Result<Matrix> expand_matrix(Document document) {
  return Expander(std::move(document)).expand();
}

}  // namespace tokometer

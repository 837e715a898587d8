#include "config/yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <deque>
#include <sstream>

#include "base/text.hpp"
#include "config/yaml_source.hpp"

namespace tokometer {
namespace {

constexpr const char* kOneDocument =
    "a second document begins here; only one is allowed (check the indentation)";

// Ends the parse: a fault after which the rest of the text says nothing reliable.
struct SyntaxFault {
  Error error;
};

YamlSource::Place place_of(const YAML::Mark& mark) {
  return {mark.line, mark.column};
}

// Takes yaml-cpp's events and grows the tree. Checks what yaml-cpp lets pass.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const YamlSource& source) : source_(source) {}

  Document take() { return std::move(document_); }
  // Where the innermost open "{" or "[" stands.
  std::optional<YamlSource::Place> innermost_flow() const {
    const auto open = std::find_if(open_.rbegin(), open_.rend(), [](const Level& l) { return l.flow; });
    if (open == open_.rend()) return std::nullopt;
    return place_of(open->mark);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw SyntaxFault{source_.fault(place_of(mark), kOneDocument)};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_properties(mark, anchor, "?");
    if (expects_key()) throw SyntaxFault{source_.fault(place_of(mark), "a key is missing before \":\"")};
    if (!open_.empty() && open_.back().key_mark.pos == mark.pos && !open_.back().node->items.empty()) {
      throw SyntaxFault{source_.fault(
          place_of(mark), "a \":\" is missing after \"" + escape_terminal(open_.back().key, 60) + "\"")};
    }
    add_scalar(mark, "", true);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fault(mark, "anchors and aliases are not allowed");
    if (expects_key()) throw SyntaxFault{source_.fault(place_of(mark), "a key must be plain text")};
    add_scalar(mark, "", true).unresolved = true;
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool refused = check_properties(mark, anchor, tag);
    if (auto unclosed = source_.unclosed_quote(place_of(mark))) throw SyntaxFault{*unclosed};
    if (expects_key()) {
      begin_member(mark, value, tag == "?");
    } else {
      add_scalar(mark, value, tag == "?").unresolved = refused;
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open_collection(mark, tag, anchor, style, Node::Kind::sequence);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open_collection(mark, tag, anchor, style, Node::Kind::map);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Level {
    Node* node;
    YAML::Mark mark;
    bool flow;             // { } or [ ]
    bool has_key = false;  // maps: the key came, its value is next
    std::string key = {};
    YAML::Mark key_mark = {};
    bool drop = false;  // maps: the member is parsed for its faults of syntax, but not kept
  };

  bool expects_key() const {
    return !open_.empty() && open_.back().node->kind == Node::Kind::map && !open_.back().has_key;
  }

  void fault(const YAML::Mark& mark, const std::string& message) {
    document_.faults.push_back(source_.fault(place_of(mark), message));
  }

  // True: there is one, and it is told.
  bool check_properties(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) {
    const size_t before = document_.faults.size();
    if (anchor != 0) fault(mark, "anchors and aliases are not allowed");
    if ((tag != "?" && tag != "!" && !tag.empty()) || source_.byte_at(place_of(mark)) == '!') {
      fault(mark, "tags are not allowed");
    }
    return document_.faults.size() > before;
  }

  void begin_member(const YAML::Mark& mark, const std::string& key, bool plain) {
    Level& level = open_.back();
    if (!level.flow) {
      if (auto tab = source_.tab_indentation(place_of(mark))) throw SyntaxFault{*tab};
    }
    level.drop = level.node->find(key) != nullptr;
    if (level.drop) duplicate(level, mark, key);
    if (plain && key == "<<") {
      fault(mark, "merge keys are not allowed");
      level.drop = true;
    }
    level.has_key = true;
    level.key = key;
    level.key_mark = mark;
  }

  // The place of the next value: in a sequence, under the current key, or the root.
  Node& next_value(const YAML::Mark& mark) {
    if (open_.empty()) {
      document_.root.key_position = document_.root.value_position = source_.position(place_of(mark));
      return document_.root;
    }
    Level& level = open_.back();
    Node node;
    node.value_position = node.key_position = source_.position(place_of(mark));
    if (level.node->kind == Node::Kind::map) {
      node.key = level.key;
      node.key_position = source_.position(place_of(level.key_mark));
      level.has_key = false;
      node.path = member_path(level.node->path, level.key);
      if (level.drop) return dropped_.emplace_back(std::move(node));
    } else {
      node.path = item_path(level.node->path, level.node->items.size());
    }
    return level.node->items.emplace_back(std::move(node));
  }

  // The first value counts.
  void duplicate(const Level& level, const YAML::Mark& mark, const std::string& key) {
    fault(mark, member_path(level.node->path, key) + ": given twice (first at line " +
                    std::to_string(level.node->find(key)->key_position.line) + ")");
  }

  Node& add_scalar(const YAML::Mark& mark, const std::string& text, bool plain) {
    Node& node = next_value(mark);
    node.kind = Node::Kind::scalar;
    node.text = node.raw = text;
    node.plain = plain;
    return node;
  }

  // yaml-cpp takes a bracket that never closes for the start of a key.
  std::string bracket_as_key(const YAML::Mark& mark) const {
    return std::string("a key cannot begin with \"") + source_.byte_at(place_of(mark)) +
           "\"; is it never closed?";
  }

  void open_collection(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style, Node::Kind kind) {
    check_properties(mark, anchor, tag);
    if (expects_key()) throw SyntaxFault{source_.fault(place_of(mark), bracket_as_key(mark))};
    if (open_.size() >= static_cast<size_t>(kMaxYamlDepth))
      throw SyntaxFault{source_.fault("nested deeper than 32 levels")};
    Node& node = next_value(mark);
    node.kind = kind;
    open_.push_back({&node, mark, style == YAML::EmitterStyle::Flow});
  }

  const YamlSource& source_;
  Document document_;
  std::vector<Level> open_;
  std::deque<Node> dropped_;  // second values of a key, merge keys
  int documents_ = 0;
};

void parse_into(TreeBuilder& builder, std::string_view text) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  while (parser.HandleNextDocument(builder)) {
  }
}

}  // namespace

Result<Document> parse_yaml_tree(std::string_view text, const std::string& file_name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const YamlSource source(text, file_name);
  if (auto fault = source.unreadable()) return *fault;
  TreeBuilder builder(source);
  try {
    parse_into(builder, text);
  } catch (const SyntaxFault& fault) {
    return fault.error;
  } catch (const YAML::Exception& fault) {
    return source.explain(fault.msg, place_of(fault.mark), builder.innermost_flow());
  }
  Document document = builder.take();
  if (document.root.value_position.line == 0) return source.fault("empty");
  return document;
}

Result<Document> parse_yaml(std::string_view text, const std::string& file_name) {
  auto document = parse_yaml_tree(text, file_name);
  if (document && !document->faults.empty()) return std::move(document->faults);
  return document;
}

}  // namespace tokometer

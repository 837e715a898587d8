// YAML text -> a tree that remembers where each key and value was written, so that every later fault can be
// shown as file:line:column. Only the plain part of YAML is taken: one document, no anchors, aliases, merge
// keys or tags, no duplicate keys, at most 1 MiB and 32 levels. Scalars keep their text; they are typed when
// the tree is read (after ${VAR} was replaced). Values, freely copied; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace tokometer {

inline constexpr size_t kMaxYamlBytes = 1024 * 1024;
inline constexpr int kMaxYamlDepth = 32;

struct Position {
  std::string file;  // as the user named it, "-" for stdin, "--set a.b" for a value of the command line
  int line = 0;      // from 1; 0: not in a file
  int column = 0;    // from 1, in characters
};

struct Node {
  enum class Kind { scalar, sequence, map };
  // What a scalar is once typed. JSON's number grammar decides; "true" and "false" are the only booleans.
  enum class Type { null, boolean, integer, number, text };

  Kind kind = Kind::scalar;
  std::string key;          // in a map: the name under which this value stands
  std::string text;         // scalars: the text, after ${VAR} was replaced
  std::string raw;          // scalars: the text as it was written
  bool plain = false;       // scalars: written without quotes, so typed
  bool unresolved = false;  // its ${VAR} could not be replaced; that fault is already reported
  bool unsafe = false;      // a value of the command line that others can read there (--set)
  std::vector<Node> items;  // children, in the order in which they were written
  Position key_position;    // of the key; in a sequence, of the value
  Position value_position;
  std::string path;  // for people: phases[0].load.options.rate, target.headers["X-A"]

  const Node* find(std::string_view name) const;  // a map's member, or nullptr
  Node* find(std::string_view name);
  Type type() const;  // scalars only
};

struct Document {
  Node root;
  std::vector<Error> faults;  // of the text and its ${VAR}s; read_run_file() reports them with its own
};

// Parses the text of one file. A fault of syntax stands alone; duplicate keys, anchors and tags are reported
// together.
Result<Document> parse_yaml(std::string_view text, const std::string& file_name);

// As parse_yaml, but duplicate keys, anchors and tags are left in Document::faults, so that they can be
// reported together with the faults of the content.
Result<Document> parse_yaml_tree(std::string_view text, const std::string& file_name);

// The path of a child: member("target.headers", "X-A") is target.headers["X-A"], item("phases", 0) is
// phases[0].
std::string member_path(const std::string& parent, std::string_view key);
std::string item_path(const std::string& parent, size_t index);

// Sets the paths of all nodes below from the root's own.
void set_paths(Node& root);

// The tree as compact JSON, scalars typed.
std::string to_json(const Node& node);

// A fault at a node's value, or at its key: "run.yaml:12:13: load.options.rate: must be ...". The path is
// left out where the position already names it (--set load.options.rate: ...).
Error fault_at_value(const Node& node, const std::string& sentence);
Error fault_at_key(const Node& node, const std::string& sentence);

}  // namespace tokometer

// From what the user names on the command line to one tree: files merged in order (maps merge, lists
// replace), then
// --set, --set-string and --set-file in order, then ${VAR}, ${VAR:-default}, ${VAR:?message} and $$ in every
// value. A plain scalar is typed after the replacement, a quoted one stays text.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/yaml.hpp"

namespace tokometer {

struct SetOption {
  enum class Kind { yaml, text, file };  // --set, --set-string, --set-file
  Kind kind = Kind::yaml;
  std::string assignment;  // "phases.steady.duration=5s": list items by index or by their name
};

struct Source {
  std::string name;                 // a path, or the name that faults begin with
  std::optional<std::string> text;  // given: stdin ("-") or a preset; not read from a file
};

struct Sources {
  std::vector<Source> files;  // at least one
  std::vector<SetOption> sets;
  // The value of an environment variable, or nullopt. The default reads the process's environment.
  std::function<std::optional<std::string>(const std::string&)> environment;
};

// Fails for what makes the rest unreadable: a file that is missing, too large or no YAML, a --set without
// "=". Other faults (duplicate keys, unset variables, --set paths that lead nowhere) are left in
// Document::faults.
Result<Document> load_documents(const Sources& sources);

}  // namespace tokometer

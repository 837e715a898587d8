// One JSON Schema says what a piece of a run file may hold: the run file's own, and one that each plugin
// brings for its options. check() finds all faults at once, with positions and nearest names, and returns the
// value in two forms: canonical (for the plugin: defaults filled, durations in seconds, sizes in bytes, paths
// absolute) and resolved (for people: units kept, secrets masked). valijson finds faults; the sentences,
// unknown keys, defaults and formats are ours.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "config/yaml.hpp"

namespace tokometer {

// Is the text a JSON Schema within the subset that plugins may use (docs/plugins.md)? A fault names the
// keyword and where it stands: it is the plugin's bug, not the user's.
Result<void> check_schema(std::string_view schema_json);

struct Checked {
  std::string canonical_json;  // for code; where there were faults, values may be missing or null
  std::string
      resolved_json;  // the same for people: "30s", "64MiB"; a secret is "***", or ${VAR} as it was written
  std::vector<Secret> secrets;  // every value that must never be printed
  std::vector<Error> warnings;  // secrets in clear text
  std::vector<Error> faults;    // in no order
};

class Schema {
 public:
  // Any schema that check_schema() takes; the run file's own also uses additionalProperties, pattern, "not":
  // {} (known, but not available in this version), several types and the formats ratio, label (any scalar, as
  // text) and auto ("auto" is 0).
  static Result<Schema> parse(std::string_view schema_json);
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

  // Checks the value and everything below. An object without "properties" is open: its members are taken as
  // they are.
  Checked check(const Node& value) const;

 private:
  struct Parsed;
  explicit Schema(std::unique_ptr<Parsed> parsed);
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace tokometer

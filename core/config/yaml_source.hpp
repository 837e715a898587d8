// The text behind a YAML parse: turns yaml-cpp's marks into positions for people, finds what yaml-cpp lets
// pass (quotes that never close, tabs, control characters) and says its terse faults as sentences. Used by
// yaml.cpp alone. Refers to the text it was made from.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/yaml.hpp"

namespace tokometer {

class YamlSource {
 public:
  // A place as yaml-cpp counts: from 0, columns in bytes.
  struct Place {
    int line = 0;
    int column = 0;
  };

  YamlSource(std::string_view text, std::string file_name);

  // Too large, not UTF-8, control characters, directives: what need not be parsed to be refused.
  std::optional<Error> unreadable() const;

  Position position(Place place) const;
  Error fault(Place place, const std::string& message) const;
  // A fault of the file as a whole: "run.yaml: ...".
  Error fault(const std::string& message) const;

  char byte_at(Place place) const;  // '\0' past the end

  // A quoted text that starts here and runs to the end of the file.
  std::optional<Error> unclosed_quote(Place place) const;
  // A tab before the first character of the line.
  std::optional<Error> tab_indentation(Place place) const;

  // yaml-cpp's own complaint in our words. `open_flow`: the innermost "{" or "[" that is open there.
  Error explain(const std::string& complaint, Place place, std::optional<Place> open_flow) const;

 private:
  size_t offset(Place place) const;
  std::string_view line(int number) const;

  std::string_view text_;
  std::string file_name_;
  std::vector<size_t> line_starts_;
};

}  // namespace tokometer

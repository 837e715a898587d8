// One run file that stands for many runs: `matrix` (lists of one entry are zipped, entries are crossed) and
// `repeat`. The tree is taken apart before it is read, so that each run is checked like a file of its own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/yaml.hpp"

namespace tokometer {

struct MatrixCell {
  std::string name;  // of its folder, by its values: "users-5.input_tokens-128"; empty: there is no matrix
  std::vector<std::pair<std::string, std::string>> values;  // path and text
  Document document;  // the run file with these values, without `matrix` and `repeat`
};

struct Matrix {
  std::vector<MatrixCell> cells;  // one at least
  uint64_t repeat = 1;
  std::string json;  // {"matrix": ..., "repeat": ...} as written: what `render` puts back
  bool is_one_run() const { return repeat == 1 && cells.size() == 1 && cells.front().name.empty(); }
};

// Errors: all faults of the two keys. Those of the text stay in each cell's document.
Result<Matrix> expand_matrix(Document document);

}  // namespace tokometer

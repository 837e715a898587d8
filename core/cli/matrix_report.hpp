// What the runs of a matrix gave, over all: the table, matrix.csv and matrix.json. Pure functions of results.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "report/point_rows.hpp"
#include "report/report.hpp"

namespace tokometer {

// One run of a matrix: a cell in one round.
struct MatrixRun {
  std::string cell;  // empty: repeats alone
  std::vector<std::pair<std::string, std::string>> values;
  uint64_t round = 1;       // from 1
  std::string file_sha256;  // of the resolved run file
  std::string folder;       // below the parent; empty: none yet
  bool done = false;
  int exit_code = 0;           // of a run that was made
  std::vector<PointRow> rows;  // one a phase or point
};

struct MatrixFacts {
  std::string name, command, start_utc;
  uint64_t repeat = 1;
};

// A row a run; with repeats a row each for mean, least and most over the rounds, and for the standard
// deviation from three on.
std::string render_matrix(const MatrixFacts& facts, const std::vector<MatrixRun>& runs, Style style);
std::string matrix_csv(const std::vector<MatrixRun>& runs);
std::string matrix_json(const MatrixFacts& facts, const std::vector<MatrixRun>& runs);

}  // namespace tokometer

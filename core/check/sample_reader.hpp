// Reads a dataset's samples as text, one a sample, and checks each against the rules of abi.h. For the tests
// of datasets; not copied, since its sink points into it.
#pragma once

#include <tokometer/abi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/handles.hpp"

namespace tokometer::check {

struct Sample {
  std::string text;   // all that was said, for comparing
  std::string fault;  // the first rule that was broken; empty: none
  bool has_turn = false, is_last = false;
  uint32_t turn = 0;
  std::string session;
  int64_t arrival_ns = -1;  // -1: none told
};

struct Reading {
  std::vector<Sample> samples;
  bool ended = false;   // TKM_END came
  int bad_records = 0;  // TKM_E_INPUT
  std::string failure;  // a status that is no answer here, or a plugin bug; empty: none
};

// At most `most` samples; bad records are passed over.
Reading read_samples(Dataset& dataset, size_t most);

}  // namespace tokometer::check

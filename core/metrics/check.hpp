// Small parts that the checks of the run and of a phase share. Private to core/metrics.
#pragma once

#include <string>
#include <vector>

#include "metrics/record_log.hpp"
#include "metrics/summary.hpp"

namespace tokometer {

inline Check check(const char* id, const char* name, Grade grade, std::string measured, std::string relation,
                   std::string limit, std::string advice) {
  if (grade == Grade::valid) advice.clear();
  return {id, name, grade, std::move(measured), std::move(relation), std::move(limit), std::move(advice),
          {}, {},   false};
}

// "1 request dropped", "2 requests dropped"
inline std::string counted(uint64_t n, const std::string& thing, const std::string& rest) {
  return std::to_string(n) + " " + thing + (n == 1 ? " " : "s ") + rest;
}

inline const PhaseTotals* find_totals(const std::vector<PhaseTotals>& all, const std::string& workload,
                                      const std::string& phase) {
  for (const PhaseTotals& t : all) {
    if (t.workload == workload && t.phase == phase) return &t;
  }
  return nullptr;
}

}  // namespace tokometer

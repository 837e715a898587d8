// The issued requests of one window apart by where they went: model and adapter. Private to core/metrics; the
// histograms are made with the first ok request of a route, so a run with one route costs one set.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "metrics/histogram.hpp"
#include "metrics/record.hpp"
#include "metrics/summary.hpp"

namespace tokometer {

class RouteFigures {
 public:
  // A request with S in the window. `tokens`: its output, or kAbsent; `tpot_ns`: or kAbsent.
  void add(const RequestRecord& r, int64_t tokens, int64_t tpot_ns);

  // By model and adapter; none where all went the same way.
  std::vector<RouteSummary> rows() const;

 private:
  struct Pool {
    Histogram histogram;
    double sum = 0;  // ns
    void add(int64_t ns);
    RouteSummary::Figure figure() const;
  };
  struct Route {
    Counts counts;
    int64_t input_tokens = 0, output_tokens = 0;  // of ok requests
    Pool ttft, tpot, e2e;
  };
  std::map<std::pair<std::string, std::string>, Route> routes_;
};

}  // namespace tokometer

// The load of one phase over time, in bins of 0.2 s since the phase began: for the automatic warm-up and
// check V10. Private to core/metrics.
#pragma once

#include <cstdint>
#include <vector>

#include "metrics/token_walk.hpp"

namespace tokometer {

class LoadSeries {
 public:
  static constexpr int64_t kBinNs = 200'000'000;
  static constexpr size_t kBatch = 5;

  explicit LoadSeries(int64_t begin_ns) : begin_ns_(begin_ns) {}
  // `events`: those of `r`.
  void add(const RequestRecord& r, const std::vector<TokenEvent>& events);

  std::vector<double> in_flight_bins(int64_t until_ns) const;  // means of the whole bins in [begin, until)

  // Batch means (5 bins) of the whole batches in [begin, until).
  std::vector<double> in_flight(int64_t until_ns) const;
  std::vector<double> ttft(int64_t until_ns) const;  // empty batches repeat the one before
  std::vector<double> tokens(int64_t until_ns) const;

 private:
  struct Bin {
    double whole = 0;  // change in the number of requests that cover a bin from here on entirely
    double part = 0;   // covered parts of this bin, in bins
    double tokens = 0;
    double ttft_sum = 0;
    uint32_t ttft_count = 0;
  };
  Bin* bin_at(int64_t at_ns);
  void add_tokens(const RequestRecord& r, const std::vector<TokenEvent>& events);
  void add_in_flight(int64_t from_ns, int64_t to_ns);
  size_t whole_batches(int64_t until_ns) const;

  int64_t begin_ns_;
  std::vector<Bin> bins_;
};

}  // namespace tokometer

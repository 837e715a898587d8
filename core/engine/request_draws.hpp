// What is drawn for a request beyond its sample: its model, its adapter, and whether its user gives up.
// Seeded by the run.
#pragma once

#include <cstdint>
#include <string_view>

#include <tokometer/random.hpp>

#include "config/run_file.hpp"

namespace tokometer {

class RequestDraws {
 public:
  // `file` outlives the draws.
  explicit RequestDraws(const RunFile& file)
      : file_(file), models_(file.seed, "models"), adapters_(file.seed, "adapters") {}

  // Of the run file's mix, by weight, in the order of the calls; empty: there is one model. Lives as long as
  // the run file.
  std::string_view model();

  // By weight, in the order of the calls; empty: the model itself. Lives as long as the run file.
  std::string_view adapter();

  // By the request's number in its workload, so that the same seed cancels the same requests, whatever else
  // was drawn. From its first byte sent; TimerWheel::kNever: not at all.
  int64_t cancel_after_ns(uint64_t number) const;

 private:
  const RunFile& file_;
  tkm::Random models_, adapters_;
};

}  // namespace tokometer

// Once a second: what the verdict needs and no request shows. Puts the workers' answers and what /proc says
// into one tick line. The scheduler adds the threads before the load; then only the writer's thread uses it,
// since /proc is slow; the workers fill the mailbox.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "engine/mailbox.hpp"
#include "engine/worker_tick.hpp"
#include "metrics/record_log.hpp"
#include "telemetry/client.hpp"

namespace tokometer {

class TickCollector {
 public:
  static constexpr int64_t kPeriodNs = 1'000'000'000;

  TickCollector(const Clock& clock, int64_t start_ns);

  Mailbox<std::unique_ptr<WorkerTick>>& inbox() noexcept { return inbox_; }
  void add_thread(std::string name, int32_t tid, bool io);

  // Adds what has come in since the last line. The scheduler has set totals, last_seq and in_flight.
  void complete(TickLine& line);

 private:
  void add(const WorkerTick& tick, TickLine& line);
  void read_threads(TickLine& line);

  struct Thread {
    std::string name;
    int32_t tid = 0;
    bool io = false;
    ThreadUse use;
    int64_t waited_ns = 0;  // for a CPU, beyond what every wake-up costs
    int64_t longest_turn_ns = 0;
  };

  const Clock& clock_;
  const int64_t start_ns_;
  const int64_t suspended_at_start_ns_, cpu_at_start_ns_;
  HostSampler host_;
  Mailbox<std::unique_ptr<WorkerTick>> inbox_;
  std::vector<std::unique_ptr<WorkerTick>> taken_;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<WorkerTick>> latest_;  // cumulative counters, by worker
};

}  // namespace tokometer

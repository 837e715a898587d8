// Once a second: what the verdict needs and no request shows. Asks the workers, reads /proc, and makes one
// tick line. Used by the scheduler thread alone, but for the mailbox that the workers fill.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "engine/mailbox.hpp"
#include "engine/worker.hpp"
#include "engine/writer_thread.hpp"
#include "metrics/record_log.hpp"
#include "telemetry/client.hpp"

namespace tokometer {

class TickCollector {
 public:
  static constexpr int64_t kPeriodNs = 1'000'000'000;

  TickCollector(const Clock& clock, int64_t start_ns);

  Mailbox<std::unique_ptr<WorkerTick>>& inbox() noexcept { return inbox_; }
  void add_thread(std::string name, int32_t tid, bool io);

  // A tick line of what has come in since the last one. The caller adds totals, last_seq and in_flight.
  std::unique_ptr<TickLine> make(const WriterThread& writer);

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

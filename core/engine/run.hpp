// A run while it is going on: the only owner of threads. cli starts it, waits in slices so that it can serve
// signals and the display, and takes the result.
//
//   auto run = Run::start(plan, preflight, settings, clock, redactor);          //
//   Result<std::unique_ptr<Run>> while (!(*run)->wait(100'000'000)) { show((*run)->progress()); if
//   (signalled) (*run)->stop({...}); } RunResult result = (*run)->finish();
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "engine/load_driver.hpp"
#include "engine/plan.hpp"
#include "engine/preflight.hpp"
#include "metrics/manifest.hpp"

namespace tokometer {

struct RunSettings {
  std::filesystem::path directory;  // made for this run, empty
  std::string id_prefix;            // of request ids: "3f9c1a-"
  std::string salt;                 // of prompts: a hex word of this run's own
};

struct RunResult {
  // "finished", "signal.INT", "saturated", "budget", "deadlock", "disk", "plugin", "dataset"
  std::string reason;
  std::string fault;          // a sentence about what ended the run early; empty if nothing did
  std::string records_fault;  // not empty: the records are not complete (exit 6)
};

// For those who ask what the run is busy with: more than the display shows.
struct RunState {
  Progress progress;
  size_t samples_ready = 0;       // read ahead of the schedule
  int64_t lines_waiting = 0;      // of the records, not in the file yet
  std::vector<InFlight> slowest;  // oldest first
  size_t silent_workers = 0;      // that did not answer in time
};

class Run {
 public:
  // Writes the manifest, opens the records, starts all threads. The caller has filled what it knows of the
  // manifest (id, command, host, plugins); the times of the start are put in here. All references outlive the
  // run.
  static Result<std::unique_ptr<Run>> start(const Plan& plan, const std::vector<Preflight>& preflights,
                                            const RunSettings& settings, Manifest manifest,
                                            const Clock& clock, const Redactor& redactor);
  ~Run();

  bool wait(int64_t timeout_ns);      // true: the load has ended and everything in flight, too
  void stop(const StopOrder& order);  // any thread; a later, stronger order adds to an earlier one
  Progress progress() const;          // any thread
  RunState state();                   // any thread; waits for the workers' answers, at most 200 ms
  RunResult finish();                 // joins all threads; the records are complete on return

 private:
  class Threads;
  explicit Run(std::unique_ptr<Threads> threads);
  std::unique_ptr<Threads> threads_;
};

// The facts of the manifest that plan and preflight know.
Manifest make_manifest(const Plan& plan, const std::vector<Preflight>& preflights, const Redactor& redactor);

}  // namespace tokometer

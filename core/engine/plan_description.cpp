// What `tokometer plan` shows of a plan.
#include <algorithm>
#include <cstdio>

#include "base/text.hpp"
#include "engine/plan.hpp"
#include "engine/sweep_plan.hpp"

namespace tokometer {
namespace {

Result<std::unique_ptr<SampleSource>> open_data(const WorkloadPlan& plan) {
  auto dataset = make_dataset(plan, nullptr);
  if (!dataset) return dataset.errors();
  SampleRules rules;
  rules.rows = plan.file.rows;
  rules.seed = plan.file.seed;
  rules.tokenizer = plan.tokenizer;
  rules.needs_arrivals = true;
  return SampleSource::open(std::move(*dataset), std::move(rules));
}

std::string describe_length(const PhasePlan& phase) {
  if (phase.file.duration_ns) return format_duration(*phase.file.duration_ns);
  if (phase.file.requests) return std::to_string(*phase.file.requests) + " requests";
  if (phase.file.sessions) return std::to_string(*phase.file.sessions) + " sessions";
  return "until the dataset ends";
}

Result<std::string> describe_phase(const WorkloadPlan& plan, const PhasePlan& phase, SampleSource* data) {
  constexpr size_t kCounted = 1'000'000;
  constexpr size_t kShown = 5;
  auto arrivals = first_arrivals(phase, kCounted, data);
  if (!arrivals) return arrivals.errors();
  std::string text = (plan.sweep ? "point      " : "phase      ") + phase.file.name + ": " +
                     phase.file.load.use + " " + phase.file.load.options_json + ", " +
                     describe_length(phase) + (phase.open_loop ? ", open loop" : ", closed loop") + '\n';
  if (arrivals->empty()) return text;
  const bool sessions = plays_sessions(plan);  // how many requests they bring is known when they are read
  if (phase.file.duration_ns || phase.file.sessions || phase.follows_data ||
      (phase.file.requests && !sessions)) {
    text += "           " + std::string(arrivals->size() == kCounted ? "at least " : "") +
            std::to_string(arrivals->size()) + (sessions ? " sessions" : " requests") +
            " up to the end of the window\n";
  }
  text += "           first arrivals, s:";
  for (size_t i = 0; i < std::min(kShown, arrivals->size()); ++i) {
    char number[32];
    std::snprintf(number, sizeof number, " %.6f", static_cast<double>((*arrivals)[i]) * 1e-9);
    text += number;
  }
  return text + '\n';
}

Result<std::string> describe_workload(const WorkloadPlan& plan) {
  std::unique_ptr<SampleSource> data;
  if (plan.phases.front().follows_data) {
    auto opened = open_data(plan);
    if (!opened) return opened.errors();
    data = std::move(*opened);
  }
  std::string text = "processor  " + plan.file.processor.use + "\ndataset    " + plan.file.dataset.use + '\n';
  if (plan.tokenizer != nullptr) {
    text += "tokenizer  " + plan.file.tokenizer.use + ", " +
            std::to_string(plan.tokenizer->table().vocab_size) + " ids\n";
  }
  if (plan.sweep) text += describe_sweep(plan);
  for (const PhasePlan& phase : plan.phases) {
    auto described = describe_phase(plan, phase, data.get());
    if (!described) return described.errors();
    text += *described;
    data.reset();  // where a later phase begins in the data is known when it begins
  }
  return text;
}

}  // namespace

Result<std::string> describe_plan(const Plan& plan) {
  std::string text;
  for (const WorkloadPlan& workload : plan.workloads) {
    if (plan.workloads.size() > 1) text += "workload   " + workload.file.workload + '\n';
    auto described = describe_workload(workload);
    if (!described) return described.errors();
    text += *described;
  }
  text += "limits     " + std::to_string(plan.io_threads) + " I/O threads, " +
          (plan.spin ? "sends by spin" : "sends by timer") +
          (plan.io_uring ? ", reads by io_uring" : ", reads by epoll") + ", at most " +
          std::to_string(plan.max_in_flight) + " requests in flight\n";
  return text + "plan hash  " + plan.hash + '\n';
}

}  // namespace tokometer

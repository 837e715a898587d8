#include "cli/run_one.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>

#include "base/text.hpp"
#include "cli/fresh_directory.hpp"
#include "cli/host.hpp"
#include "cli/outcome.hpp"
#include "cli/panel.hpp"
#include "cli/print.hpp"
#include "cli/run_log.hpp"
#include "cli/signals.hpp"
#include "engine/input_check.hpp"
#include "engine/preflight.hpp"
#include "engine/run.hpp"
#include "engine/server_actions.hpp"
#include "engine/target.hpp"
#include "metrics/summary.hpp"
#include "plugin/calls.hpp"
#include "plugin/crash.hpp"
#include "report/report.hpp"

namespace tokometer {
namespace {

constexpr int64_t kSliceNs = 125'000'000;  // of the main loop: two make a frame
constexpr auto kPreflightSlice = std::chrono::milliseconds(50);
constexpr size_t kSaltDigits = 6;

// Names of a run: they tell it from every other.
struct RunNames {
  std::string salt = random_hex(kSaltDigits);
  std::string start_utc = utc_now();
  std::string run_id;  // "chat-8b-20261122T043601Z-3f9c1a"
};

class OneRun {
 public:
  OneRun(const CommandLine& line, const LogSink& log_sink, const RunPlace& place)
      : line_(line), place_(place), panel_(panel_kind(line)) {
    set_log_sink([this, &log_sink](LogLevel level, std::string_view text) {
      panel_.clear();
      const std::string shown = redactor_.redact(text);
      log_sink(level, shown);
      run_log_.add(to_string(level), shown);
    });
    restore_ = [&log_sink] { set_log_sink(log_sink); };
  }
  ~OneRun() { restore_(); }

  RanOne run(RunFile file, Registry& registry);

 private:
  static Panel::Kind panel_kind(const CommandLine& line) {
    if (line.quiet) return Panel::Kind::none;
    return wants_panel() ? Panel::Kind::terminal : Panel::Kind::lines;
  }

  Result<Plan> prepare(RunFile file, Registry& registry);
  Result<std::vector<Preflight>> preflight_or_leave(const Plan& plan, Target& target,
                                                    FreshDirectory& directory);
  Manifest manifest_of(const Plan& plan, const std::vector<Preflight>& preflights) const;
  RunResult load(Run& run);
  void put_back_server(const Plan& plan, const std::vector<Preflight>& preflights) const;
  static void say_warnings(const std::vector<Preflight>& preflights);
  void serve_signals(Run& run);
  void watch_calls(int64_t now_ns);
  int report(const RunResult& result, const std::filesystem::path& directory);
  void refuse(std::vector<Error> errors);
  void say(const std::string& text);

  const CommandLine& line_;
  const RunPlace& place_;
  const SteadyClock clock_;
  Redactor redactor_;
  Panel panel_;
  RunLog run_log_;
  std::function<void()> restore_;
  RunNames names_;
  StopLadder ladder_;
  CallWatchdog watchdog_;
};

// Foreign words may stand in any of them.
void OneRun::refuse(std::vector<Error> errors) {
  for (Error& error : errors) {
    error.message = redactor_.redact(error.message);
    run_log_.add("error", error.message);
  }
  panel_.clear();
  complain(errors);
}

void OneRun::say(const std::string& text) {
  panel_.say("tokometer: " + text);
  run_log_.add("info", text);
}

// All that can be known to be wrong before a socket is opened.
Result<Plan> OneRun::prepare(RunFile file, Registry& registry) {
  for (const Secret& secret : file.secrets) redactor_.add(secret);
  names_.run_id = directory_name(name_of(file, line_), names_.start_utc, names_.salt);
  auto plan = make_plan(std::move(file), registry);
  if (!plan) return plan;
  if (auto usable = check_inputs(*plan); !usable) return usable.errors();
  return plan;
}

// Preflight may wait for minutes, and blocks: it has a thread of its own, so that Ctrl-C is heard meanwhile.
// There is nothing to drain then: the program leaves, with no run directory behind it.
Result<std::vector<Preflight>> OneRun::preflight_or_leave(const Plan& plan, Target& target,
                                                          FreshDirectory& directory) {
  std::optional<Result<std::vector<Preflight>>> result;
  std::atomic<bool> done{false};
  std::thread thread([&] {
    const SignalStack stack;
    result = run_preflight(plan, target.urls(), names_.salt, clock_, redactor_);
    done = true;
  });
  while (!done) {
    const int signal = next_signal();
    if (signal != 0 && signal != SIGQUIT) {
      complain("tokometer: stopped before the load began\n");
      target.stop();
      directory.remove();
      _exit(128 + signal);
    }
    std::this_thread::sleep_for(kPreflightSlice);
  }
  thread.join();
  return std::move(*result);
}

Manifest OneRun::manifest_of(const Plan& plan, const std::vector<Preflight>& preflights) const {
  Manifest manifest = make_manifest(plan, preflights, redactor_);
  Manifest::Host host = host_facts();
  host.io_threads = manifest.host.io_threads, host.spin = manifest.host.spin;
  host.io_uring = manifest.host.io_uring;
  host.kernel_stamps = manifest.host.kernel_stamps;
  manifest.host = std::move(host);
  manifest.run_id = names_.run_id;
  manifest.name = name_of(plan.file, line_);
  manifest.tool_version = kToolVersion;
  manifest.build_id = own_build_id();
  manifest.command = redactor_.redact(line_.text);
  manifest.start_utc = names_.start_utc;
  return manifest;
}

void OneRun::serve_signals(Run& run) {
  for (int signal = next_signal(); signal != 0; signal = next_signal()) {
    const Progress progress = run.progress();
    const StopLadder::Step step = ladder_.take(signal, progress.in_flight);
    if (step.kind == StopLadder::Step::Kind::show_state) {
      const Rates rates = average_rates(progress);
      say(progress_line(progress, rates));
      for (const std::string& line : workload_lines(progress, rates)) say(line);
      for (const std::string& line : state_lines(run.state())) say(line);
      continue;
    }
    say(step.sentence);
    if (step.kind == StopLadder::Step::Kind::leave) _exit(128 + ladder_.first());
    run.stop(step.order);
  }
}

// A plugin that hangs holds a thread that nobody can stop.
void OneRun::watch_calls(int64_t now_ns) {
  for (const SlowCall& slow : watchdog_.check(now_ns)) {
    log(slow.fatal ? LogLevel::error : LogLevel::warn, to_string(slow));
    if (slow.fatal) _exit(kInternalError);
  }
}

RunResult OneRun::load(Run& run) {
  while (!run.wait(kSliceNs)) {
    serve_signals(run);
    watch_calls(clock_.now_ns());
    panel_.show(run.progress(), clock_.now_ns());
  }
  serve_signals(run);
  panel_.clear();
  leave_on_third_signal(ladder_.count(), ladder_.first());
  return run.finish();
}

void OneRun::put_back_server(const Plan& plan, const std::vector<Preflight>& preflights) const {
  for (const Error& failed : put_back(plan, preflights)) log(LogLevel::warn, failed.message);
}

// What is alike for several workloads is said once.
void OneRun::say_warnings(const std::vector<Preflight>& preflights) {
  std::set<std::string> said;
  for (const Preflight& preflight : preflights) {
    for (const std::string& warning : preflight.warnings) {
      if (said.insert(warning).second) log(LogLevel::warn, warning);
    }
  }
}

int OneRun::report(const RunResult& result, const std::filesystem::path& directory) {
  std::vector<Error> troubles;
  const bool is_told_below = !result.records_fault.empty() && result.fault == result.records_fault;
  if (!result.fault.empty() && !is_told_below) troubles.push_back(Error{result.fault});
  if (!result.records_fault.empty())
    troubles.push_back(Error{"the records are not complete: " + result.records_fault});
  auto summary = summarize(directory);
  if (!summary) {
    troubles.insert(troubles.end(), summary.errors().begin(), summary.errors().end());
    return refuse(std::move(troubles)), kIncomplete;
  }
  Outcome outcome = outcome_of(*summary);
  outcome.records_incomplete |= !result.records_fault.empty();
  if (auto written = write_reports(directory, *summary); !written) {
    troubles.insert(troubles.end(), written.errors().begin(), written.errors().end());
    outcome.records_incomplete = true;
  }
  refuse(std::move(troubles));
  const Style style = line_.style.value_or(style_from_name(summary->manifest.console).value_or(Style::table));
  if (!place_.print_report) return exit_code(outcome, line_.strict);
  print(redactor_.redact(render_console(*summary, {style, wants_colour(), directory.string(), {}})));
  return exit_code(outcome, line_.strict);
}

RanOne OneRun::run(RunFile file, Registry& registry) {
  auto plan = prepare(std::move(file), registry);
  if (!plan) return refuse(plan.errors()), RanOne{kRefused, {}, 0};
  auto directory = FreshDirectory::make(place_.parent, place_.name.empty() ? names_.run_id : place_.name);
  if (!directory) return refuse(directory.errors()), RanOne{kRefused, {}, 0};
  run_log_.open(directory->path());
  auto target = Target::start(plan->file);
  if (!target) return refuse(target.errors()), RanOne{kNotReady, {}, 0};
  auto preflight = preflight_or_leave(*plan, *target, *directory);
  if (!preflight) return refuse(preflight.errors()), RanOne{kNotReady, {}, 0};
  say_warnings(*preflight);
  const RunSettings settings{directory->path(), names_.salt + "-", names_.salt};
  auto started = Run::start(*plan, *preflight, settings, manifest_of(*plan, *preflight), clock_, redactor_);
  if (!started) {
    put_back_server(*plan, *preflight);
    return refuse(started.errors()), RanOne{kIncomplete, {}, 0};
  }
  directory->keep();
  run_log_.add("info", names_.run_id + " begins");
  const RunResult result = load(**started);
  put_back_server(*plan, *preflight);
  target->stop();
  run_log_.add("info", "the load has ended: " + result.reason);
  const int code = report(result, directory->path());
  return {code, directory->path(), ladder_.first()};
}

}  // namespace

std::string name_of(const RunFile& file, const CommandLine& line) {
  if (!file.name.empty()) return file.name;
  const std::string stem = std::filesystem::path(line.inputs.front()).stem().string();
  const bool is_name =
      !stem.empty() && stem.size() <= 64 && stem != "-" && !stem.starts_with('.') &&
      stem.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
          std::string::npos;
  return is_name ? stem : "run";
}

std::string directory_name(const std::string& name, std::string start_utc, const std::string& salt) {
  std::erase_if(start_utc, [](char c) { return c == '-' || c == ':'; });
  return name + "-" + start_utc + "-" + salt;
}

RanOne run_one(const CommandLine& line, const LogSink& log_sink, RunFile file, Registry& registry,
               const RunPlace& place) {
  return OneRun(line, log_sink, place).run(std::move(file), registry);
}

}  // namespace tokometer

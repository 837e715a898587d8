// `tokometer run`: reads and checks everything, then asks the server, then loads it, then reports.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/fresh_directory.hpp"
#include "cli/host.hpp"
#include "cli/input.hpp"
#include "cli/outcome.hpp"
#include "cli/panel.hpp"
#include "cli/print.hpp"
#include "cli/signals.hpp"
#include "engine/preflight.hpp"
#include "engine/run.hpp"
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

// What the run is called where its file does not say: as the file itself.
std::string name_of(const RunFile& file, const CommandLine& line) {
  if (!file.name.empty()) return file.name;
  const std::string stem = std::filesystem::path(line.inputs.front()).stem().string();
  const bool is_name =
      !stem.empty() && stem.size() <= 64 && stem != "-" && !stem.starts_with('.') &&
      stem.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
          std::string::npos;
  return is_name ? stem : "run";
}

RunNames names_for(const RunFile& file, const CommandLine& line) {
  RunNames names;
  std::string stamp = names.start_utc;
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  names.run_id = name_of(file, line) + "-" + stamp + "-" + names.salt;
  return names;
}

class RunCommand {
 public:
  RunCommand(const CommandLine& line, const LogSink& log_sink) : line_(line), panel_(panel_kind(line)) {
    set_log_sink([this, &log_sink](LogLevel level, std::string_view text) {
      panel_.clear();
      log_sink(level, redactor_.redact(text));
    });
    restore_ = [&log_sink] { set_log_sink(log_sink); };
  }
  ~RunCommand() { restore_(); }

  int run();

 private:
  static Panel::Kind panel_kind(const CommandLine& line) {
    if (line.quiet) return Panel::Kind::none;
    return wants_panel() ? Panel::Kind::terminal : Panel::Kind::lines;
  }

  Result<Plan> prepare();
  Result<Preflight> preflight_or_leave(const Plan& plan, Target& target, FreshDirectory& directory);
  Manifest manifest_of(const Plan& plan, const Preflight& preflight) const;
  RunResult load(Run& run);
  void serve_signals(Run& run);
  void watch_calls(int64_t now_ns);
  int report(const RunResult& result, const std::filesystem::path& directory);
  void refuse(std::vector<Error> errors);

  const CommandLine& line_;
  const SteadyClock clock_;
  Redactor redactor_;
  Panel panel_;
  std::function<void()> restore_;
  RunNames names_;
  std::unique_ptr<Registry> registry_;
  StopLadder ladder_;
  CallWatchdog watchdog_;
};

// Foreign words may stand in any of them.
void RunCommand::refuse(std::vector<Error> errors) {
  for (Error& error : errors) error.message = redactor_.redact(error.message);
  panel_.clear();
  complain(errors);
}

// All that can be known to be wrong before a socket is opened.
Result<Plan> RunCommand::prepare() {
  auto input = read_input(line_);
  if (!input) return input.errors();
  for (const Secret& secret : input->file.secrets) redactor_.add(secret);
  registry_ = std::move(input->registry);
  names_ = names_for(input->file, line_);
  auto plan = make_plan(std::move(input->file), *registry_);
  if (!plan) return plan;
  if (auto usable = check_inputs(*plan); !usable) return usable.errors();
  return plan;
}

// Preflight may wait for minutes, and blocks: it has a thread of its own, so that Ctrl-C is heard meanwhile.
// There is nothing to drain then: the program leaves, with no run directory behind it.
Result<Preflight> RunCommand::preflight_or_leave(const Plan& plan, Target& target,
                                                 FreshDirectory& directory) {
  std::optional<Result<Preflight>> result;
  std::atomic<bool> done{false};
  std::thread thread([&] {
    const SignalStack stack;
    result = run_preflight(plan, target.url(), names_.salt, clock_, redactor_);
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

Manifest RunCommand::manifest_of(const Plan& plan, const Preflight& preflight) const {
  Manifest manifest = make_manifest(plan, preflight, redactor_);
  Manifest::Host host = host_facts();
  host.io_threads = manifest.host.io_threads, host.spin = manifest.host.spin;
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

void RunCommand::serve_signals(Run& run) {
  for (int signal = next_signal(); signal != 0; signal = next_signal()) {
    const Progress progress = run.progress();
    const StopLadder::Step step = ladder_.take(signal, progress.in_flight);
    if (step.kind == StopLadder::Step::Kind::show_state) {
      panel_.say("tokometer: " + progress_line(progress, average_rates(progress)));
      continue;
    }
    panel_.say("tokometer: " + step.sentence);
    if (step.kind == StopLadder::Step::Kind::leave) _exit(128 + ladder_.first());
    run.stop(step.order);
  }
}

// A plugin that hangs holds a thread that nobody can stop.
void RunCommand::watch_calls(int64_t now_ns) {
  for (const SlowCall& slow : watchdog_.check(now_ns)) {
    log(slow.fatal ? LogLevel::error : LogLevel::warn, to_string(slow));
    if (slow.fatal) _exit(kInternalError);
  }
}

RunResult RunCommand::load(Run& run) {
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

int RunCommand::report(const RunResult& result, const std::filesystem::path& directory) {
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
  print(redactor_.redact(render_console(*summary, {style, wants_colour(), directory.string(), {}})));
  return exit_code(outcome, line_.strict);
}

int RunCommand::run() {
  auto plan = prepare();
  if (!plan) return refuse(plan.errors()), kRefused;
  auto directory = FreshDirectory::make(plan->file.output.dir, names_.run_id);
  if (!directory) return refuse(directory.errors()), kRefused;
  auto target = Target::start(plan->file);
  if (!target) return refuse(target.errors()), kNotReady;
  auto preflight = preflight_or_leave(*plan, *target, *directory);
  if (!preflight) return refuse(preflight.errors()), kNotReady;
  for (const std::string& warning : preflight->warnings) log(LogLevel::warn, warning);
  const RunSettings settings{directory->path(), names_.salt + "-", names_.salt};
  auto started = Run::start(*plan, *preflight, settings, manifest_of(*plan, *preflight), clock_, redactor_);
  if (!started) return refuse(started.errors()), kIncomplete;
  directory->keep();
  const RunResult result = load(**started);
  target->stop();
  return report(result, directory->path());
}

}  // namespace

int run_command(const CommandLine& line, const LogSink& log_sink) {
  block_signals();
  return RunCommand(line, log_sink).run();
}

}  // namespace tokometer

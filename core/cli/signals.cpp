#include "cli/signals.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace tokometer {
namespace {

constexpr int64_t kDeadlineNs = 20'000'000'000;  // of TERM and HUP: fits a grace period of 30 s
constexpr int kThird = 3;

std::atomic<int> late_count{0};
std::atomic<int> late_first{0};

sigset_t run_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  return set;
}

extern "C" void on_late_signal(int signal) {
  int none = 0;
  late_first.compare_exchange_strong(none, signal);
  if (late_count.fetch_add(1) + 1 >= kThird) _exit(128 + late_first.load());
}

std::string name_of(int signal) {
  if (signal == SIGINT) return "INT";
  return signal == SIGTERM ? "TERM" : "HUP";
}

}  // namespace

void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

void block_signals() {
  const sigset_t set = run_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int next_signal() {
  const sigset_t set = run_signals();
  const timespec at_once{0, 0};
  const int signal = sigtimedwait(&set, nullptr, &at_once);
  return signal > 0 ? signal : 0;
}

void leave_on_third_signal(int already, int first) {
  late_count = already;
  late_first = first;
  struct sigaction action {};
  action.sa_handler = on_late_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  std::signal(SIGQUIT, SIG_IGN);
  const sigset_t set = run_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int take_late_signal() {
  block_signals();
  std::signal(SIGQUIT, SIG_DFL);
  late_count = 0;
  return late_first.exchange(0);
}

StopLadder::Step StopLadder::take(int signal, uint64_t in_flight) {
  if (signal == SIGQUIT) return {Step::Kind::show_state, {}, {}};
  if (first_ == 0) first_ = signal;
  const std::string reason = "signal." + name_of(first_);
  switch (++count_) {
    case 1: {
      const std::string waiting = std::to_string(in_flight) + " in flight";
      if (signal == SIGINT) {
        return {Step::Kind::drain,
                {reason, false, std::nullopt},
                "stopping: no new requests, waiting for " + waiting + "; Ctrl-C again cancels them"};
      }
      return {Step::Kind::drain,
              {reason, false, kDeadlineNs},
              "SIG" + name_of(signal) + ": no new requests, waiting at most 20 s for " + waiting};
    }
    case 2:
      return {Step::Kind::cancel,
              {reason, true, std::nullopt},
              "cancelling what is in flight; the report follows. Ctrl-C again leaves at once"};
    default:
      return {Step::Kind::leave,
              {reason, true, std::nullopt},
              "leaving at once; `tokometer report DIR` makes the report from the records"};
  }
}

}  // namespace tokometer

#include "metrics/verdict.hpp"

#include <algorithm>
#include <cmath>

#include "metrics/check.hpp"
#include "metrics/number_text.hpp"
#include "metrics/verdict_limits.hpp"

namespace tokometer {
namespace {

using namespace limits;

// Grades a value by two limits that it must not exceed; infinity: that grade does not exist.
Grade grade_above(double value, double suspect, double invalid) {
  if (value > invalid) return Grade::invalid;
  return value > suspect ? Grade::suspect : Grade::valid;
}

double crossed(Grade grade, double suspect, double invalid) {
  return grade == Grade::invalid ? invalid : suspect;
}

// One phase's judge: what several checks need is looked up once.
class PhaseJudge {
 public:
  PhaseJudge(const PhaseSummary& phase, const PhaseFigures& figures, const Manifest& manifest)
      : p_(phase),
        f_(figures),
        c_(figures.client),
        m_(manifest),
        window_ns_(static_cast<double>(phase.w1_ns - phase.w0_ns)) {
    const Distribution* itl = phase.find_metric("itl");
    median_itl_ns_ = itl != nullptr && itl->count != 0 ? itl->percentile("p50") : 0;
  }

  std::vector<Check> all() {
    if (empty())
      return {check("V1", "run", Grade::invalid, "empty window", "", "",
                    "no request was scheduled in the measure window: run longer")};
    std::vector<Check> checks{size(), schedule_lag(), p_.plan.open_loop ? open_load() : closed_load()};
    checks.push_back(client_lag());
    checks.push_back(flagged());
    checks.push_back(cpu());
    checks.push_back(host());
    if (!p_.plan.unsteady && window_ns_ >= kSteadyWindowNs) checks.push_back(steady());
    checks.push_back(tokens());
    checks.push_back(errors());
    checks.push_back(clocks());
    checks.push_back(target());
    checks.push_back(shape());
    checks.push_back(backlog());
    if (cold_prompts_expected()) checks.push_back(cold());
    return checks;
  }

 private:
  bool empty() const { return window_ns_ <= 0 || p_.counts.planned == 0; }

  double percentile(const char* metric, const char* which) const {
    const Distribution* d = p_.find_metric(metric);
    return d != nullptr && d->count != 0 ? d->percentile(which) : 0;
  }

  bool user_stamps_only() const { return !m_.host.kernel_stamps || c_.user_stamp_share() == 1; }

  Check size() const {
    const double needed = std::max(kShortestWindowNs, kWindowPerE2e * percentile("e2e_sched", "p50"));
    for (const GateResult& gate : p_.gates) {
      if (gate.needs_n == 0) continue;
      return check("V3", "size", Grade::invalid,
                   "gate \"" + gate.text + "\" on " + std::to_string(gate.n) + " requests", "<",
                   std::to_string(gate.needs_n), "run longer");
    }
    if (m_.mlperf && window_ns_ < kMlperfWindowNs) {
      return check("V3", "size", Grade::invalid, "window " + seconds_text(window_ns_), "<",
                   seconds_text(kMlperfWindowNs), "the mlperf preset needs 600 s");
    }
    return check("V3", "size", window_ns_ < needed ? Grade::suspect : Grade::valid,
                 "window " + seconds_text(window_ns_), "<", seconds_text(needed),
                 "make the phase longer: 3 s and 10 x the median E2E at least");
  }

  // The mean time between two requests; in a closed loop of one user, whose cycle is what lag makes longer.
  double inter_arrival_ns() const {
    const double of_all = window_ns_ / static_cast<double>(p_.counts.planned);
    if (p_.plan.open_loop || c_.ticked_ns() <= 0) return of_all;
    return of_all * user_growth(&PhaseTotals::wanted_user_ns) / c_.ticked_ns();
  }

  Check schedule_lag() const {
    const double scaled = kLagPerInterArrival * inter_arrival_ns();
    const double suspect = std::max(kLagNs, p_.plan.open_loop ? scaled : std::min(scaled, kClosedLagNs)),
                 invalid = kLagInvalidFactor * suspect;
    const double lag = percentile("own_lag", "p99");
    const Grade grade = grade_above(lag, suspect, invalid);
    return check("V4", "schedule lag", grade, "p99 " + milliseconds_text(lag), ">",
                 milliseconds_text(crossed(grade, suspect, invalid)),
                 "the client sends late: give it more CPU, more I/O threads, or less load");
  }

  Check open_load() const {
    const auto s = static_cast<double>(f_.sendable_s), x = static_cast<double>(f_.sendable_x);
    const double off = std::abs(s - x), share = s > 0 ? off / s : off > 0 ? 1 : 0;
    const Grade grade =
        off > kOpenOffRequests ? grade_above(share, kOpenOffSuspect, kOpenOffInvalid) : Grade::valid;
    return check("V5", "load held", grade,
                 "sent " + std::to_string(f_.sendable_x) + " of " + std::to_string(f_.sendable_s) +
                     " scheduled, off " + percent_text(share),
                 ">", percent_text(crossed(grade, kOpenOffSuspect, kOpenOffInvalid)),
                 "the client does not keep up with its own schedule: more CPU or less load");
  }

  // By how much an integral over users grew from the first tick of the window to the last.
  double user_growth(int64_t PhaseTotals::*integral) const {
    const PhaseTotals* last = find_totals(c_.last.totals, p_.workload, p_.phase);
    const PhaseTotals* first = find_totals(c_.first.totals, p_.workload, p_.phase);
    if (last == nullptr) return 0;
    return static_cast<double>(last->*integral - (first == nullptr ? 0 : first->*integral));
  }

  Check closed_load() const {
    const double wanted = user_growth(&PhaseTotals::wanted_user_ns);
    const double share = wanted > 0 ? user_growth(&PhaseTotals::active_user_ns) / wanted : 1;
    const Grade grade = share < kUsersInvalid   ? Grade::invalid
                        : share < kUsersSuspect ? Grade::suspect
                                                : Grade::valid;
    return check("V5", "load held", grade, "active users " + percent_text(share) + " of those wanted", "<",
                 percent_text(crossed(grade, kUsersSuspect, kUsersInvalid)),
                 "users waited for the client, not for the server: more CPU or fewer users");
  }

  Check client_lag() const {
    const double suspect = std::max(kClientLagNs, kClientLagPerItl * median_itl_ns_);
    if (user_stamps_only()) {
      const double invalid = std::max(kUserStampLagNs, kUserStampLagPerItl * median_itl_ns_);
      const auto turn = static_cast<double>(c_.longest_turn_ns);
      const Grade grade = grade_above(turn, suspect, invalid);
      return check("V6", "client lag", grade,
                   "longest loop turn " + milliseconds_text(turn) + ", user stamps", ">",
                   milliseconds_text(crossed(grade, suspect, invalid)),
                   "without kernel stamps the client's own delay is in the numbers: more CPU or less load");
    }
    const double lag = percentile("client_lag", "p99");
    return check(
        "V6", "client lag", grade_above(lag, suspect, INFINITY), "p99 " + milliseconds_text(lag), ">",
        milliseconds_text(suspect),
        "replies waited in the client before they were read: more CPU, more I/O threads, or less load");
  }

  Check flagged() const {
    const Grade grade = grade_above(p_.coalesced_share, kFlaggedSuspect, kFlaggedInvalid);
    return check(
        "V7", "coalesced reads", grade, percent_text(p_.coalesced_share) + " of token events", ">",
        percent_text(crossed(grade, kFlaggedSuspect, kFlaggedInvalid)),
        "the client read several tokens at once and cannot tell their times apart: more CPU or less load");
  }

  Check cpu() const {
    const double share = c_.busiest(&ThreadTick::cpu_ns);
    const auto stall = static_cast<double>(c_.longest_turn_ns);
    Grade grade = grade_above(share, kCpuSuspect, kCpuInvalid);
    if (grade == Grade::valid && stall > kStallNs) {
      return check("V8", "client CPU", Grade::suspect, "loop stall " + milliseconds_text(stall), ">",
                   milliseconds_text(kStallNs),
                   "something held an I/O thread: other work on this host, or a slow plugin");
    }
    return check("V8", "client CPU", grade, "busiest thread " + percent_text(share), ">",
                 percent_text(crossed(grade, kCpuSuspect, kCpuInvalid)),
                 "raise limits.io_threads or lower the load");
  }

  Check host() const {
    const double gaps = c_.ticked_ns() > 0 ? c_.growth(&TickLine::host_gap_ns) / c_.ticked_ns() : 0;
    const double queue = c_.busiest(&ThreadTick::run_queue_ns);
    const Grade grade = grade_above(std::max(gaps, queue), kHostSuspect, kHostInvalid);
    const std::string what = gaps >= queue ? "lost in gaps over 1 ms " : "waiting for a core ";
    return check("V9", "host", grade, what + percent_text(std::max(gaps, queue)), ">",
                 percent_text(crossed(grade, kHostSuspect, kHostInvalid)),
                 "the machine took time away from the client: stop other work, or use a quieter host");
  }

  Check steady() const {
    if (p_.plan.open_loop && f_.scan.backlog_significant) {
      return check("V10", "steady state", Grade::suspect,
                   "in flight rose by " + fixed(f_.scan.backlog_rise, 1) + " over the window", "", "",
                   "rate above capacity: lower the rate");
    }
    return check("V10", "steady state", f_.scan.settled ? Grade::valid : Grade::suspect,
                 f_.scan.settled ? "settled" : "still changing in the second half", "", "",
                 "make the phase or its warm-up longer");
  }

  Check tokens() const {
    const uint64_t estimated = p_.sources[static_cast<size_t>(TokenSource::events)];
    if (estimated != 0) {
      return check("V11", "tokens", Grade::suspect, counted(estimated, "request", "counted by events"), ">",
                   "0", "an estimate: let the server send usage");
    }
    const double differ = f_.both_usage > 0
                              ? std::abs(static_cast<double>(f_.both_usage - f_.both_per_event)) /
                                    static_cast<double>(f_.both_usage)
                              : 0;
    if (differ > kSourcesDiffer) {
      return check(
          "V11", "tokens", Grade::suspect, "usage and per-event counts differ by " + percent_text(differ),
          ">", percent_text(kSourcesDiffer), "the server contradicts itself: compare with its own metrics");
    }
    const double shorter =
        p_.counts.ok > 0 ? static_cast<double>(p_.short_output) / static_cast<double>(p_.counts.ok) : 0;
    return check("V11", "tokens", grade_above(shorter, kShortOutput, INFINITY),
                 "short outputs " + percent_text(shorter), ">", percent_text(kShortOutput),
                 "answers were shorter than the exact length asked: check the context length");
  }

  Check errors() const {
    if (p_.counts.client_failed != 0) {
      return check("V12", "errors", Grade::invalid,
                   counted(p_.counts.client_failed, "failure", "of the client itself"), ">", "0",
                   "see Errors");
    }
    const Scalar* ratio = p_.find_scalar("error_ratio");
    const double share = ratio == nullptr ? 0 : ratio->number();
    const Grade grade = grade_above(share, std::min(kErrorsSuspect, m_.error_budget), m_.error_budget);
    return check("V12", "errors", grade, percent_text(share), ">",
                 percent_text(crossed(grade, kErrorsSuspect, m_.error_budget)), "see Errors");
  }

  Check clocks() const {
    const double suspended = c_.growth(&TickLine::suspended_ns);
    if (f_.scan.order_breaches != 0) {
      return check("V13", "clocks", Grade::invalid,
                   counted(f_.scan.order_breaches, "request", "with instants out of order"), ">", "0",
                   "do not use these times; report this");
    }
    if (suspended > kSuspendedNs) {
      return check("V13", "clocks", Grade::invalid, "host suspended for " + seconds_text(suspended), ">", "0",
                   "run again on a host that stays awake");
    }
    if (const double steps = c_.growth(&TickLine::clock_steps); steps > 0) {
      return check("V13", "clocks", Grade::suspect, fixed(steps, 0) + " wall-clock steps", ">", "0",
                   "stop whatever sets the clock during a run");
    }
    const double share = m_.host.kernel_stamps ? c_.user_stamp_share() : 0;
    return check("V13", "clocks", grade_above(share, kUserStampReads, INFINITY),
                 "reads without a kernel stamp " + percent_text(share), ">", percent_text(kUserStampReads),
                 "the network device or tunnel gives no receive stamps");
  }

  Check target() const {
    const double share =
        p_.counts.ok > 0 ? static_cast<double>(p_.wrong_model) / static_cast<double>(p_.counts.ok) : 0;
    const Grade grade = p_.wrong_model == 0
                            ? Grade::valid
                            : std::max(Grade::suspect, grade_above(share, 0, kWrongModelInvalid));
    return check("V14", "same target", grade, "another model in " + percent_text(share) + " of replies", ">",
                 grade == Grade::invalid ? percent_text(kWrongModelInvalid) : "0",
                 "a router sends requests to different models");
  }

  Check shape() const {
    if (f_.dropped != 0)
      return check("V15", "load shape", Grade::suspect, counted(f_.dropped, "request", "dropped at the cap"),
                   ">", "0", "raise limits.max_in_flight or lower the rate");
    if (f_.blocked != 0)
      return check("V15", "load shape", Grade::suspect, counted(f_.blocked, "request", "shifted by the cap"),
                   ">", "0", "load closed by the cap: raise limits.max_in_flight");
    const double held = static_cast<double>(f_.held) / static_cast<double>(p_.counts.planned);
    return check("V15", "load shape", grade_above(held, kHeldSuspect, INFINITY),
                 "held over 1 ms by a cap " + percent_text(held), ">", percent_text(kHeldSuspect),
                 "raise limits.max_in_flight or lower the rate");
  }

  Check backlog() const {
    const double share = c_.backlog_limit_bytes > 0 ? static_cast<double>(c_.backlog_peak_bytes) /
                                                          static_cast<double>(c_.backlog_limit_bytes)
                                                    : 0;
    return check("V16", "records", grade_above(share, kBacklogSuspect, INFINITY),
                 "writer queue at most " + percent_text(share), ">", percent_text(kBacklogSuspect),
                 "write to a faster disk");
  }

  bool cold_prompts_expected() const {
    for (const Manifest::Workload& w : m_.workloads) {
      if (w.name == p_.workload) return !w.shared_prefix && !w.sessions && !w.cache_salt_none;
    }
    return true;
  }

  Check cold() const {
    const double share =
        f_.usage_prompt > 0 ? static_cast<double>(f_.usage_cached) / static_cast<double>(f_.usage_prompt) : 0;
    return check("V17", "cold prompts", grade_above(share, kCachedSuspect, INFINITY),
                 "input tokens from a cache " + percent_text(share), ">", percent_text(kCachedSuspect),
                 "prompts repeat: use more rows, request.cache_salt, or say cache_salt: none");
  }

  const PhaseSummary& p_;
  const PhaseFigures& f_;
  const ClientFigures& c_;
  const Manifest& m_;
  double window_ns_, median_itl_ns_ = 0;
};

}  // namespace

// A sweep looks for the load that is too much: what such a load does to a point says nothing about the
// client.
bool is_about_load(const Check& c, const PhaseSummary& phase) {
  if (c.id == "V12") return phase.counts.client_failed == 0;
  return c.id == "V1" || c.id == "V3" || c.id == "V10" || c.id == "V15";
}

Grade worst_of(const std::vector<Check>& checks) {
  Grade worst = Grade::valid;
  for (const Check& c : checks) {
    if (!c.marks_row) worst = std::max(worst, c.grade);
  }
  return worst;
}

std::vector<Check> judge_phase(const PhaseSummary& phase, const PhaseFigures& figures,
                               const Manifest& manifest) {
  std::vector<Check> checks = PhaseJudge(phase, figures, manifest).all();
  for (Check& c : checks) {
    c.workload = phase.workload;
    c.phase = phase.phase;
    c.marks_row = manifest.sweep && is_about_load(c, phase);
  }
  return checks;
}

}  // namespace tokometer

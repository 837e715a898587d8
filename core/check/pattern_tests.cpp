// Load patterns on a simulated clock: their times, and what must not change them.
#include <algorithm>
#include <array>

#include "check/confined.hpp"
#include "check/memory_in_use.hpp"
#include "check/simulated_phase.hpp"
#include "check/subject.hpp"

namespace tokometer::check {
namespace {

Result<Pattern> make(const Subject& subject, uint32_t shard = 0, uint32_t shard_count = 1) {
  return Pattern::create(
      *subject.component,
      {.config_json = subject.options_json, .seed = 1, .shard = shard, .shard_count = shard_count});
}

Finding no_pattern(const Error& error) {
  return skip("see module.creates: " + error.message);
}

bool is_open_loop(const Subject& subject) {
  return subject.component->has_capability("open-loop");
}

PhaseOptions plain(const Subject& subject) {
  return {.is_open_loop = is_open_loop(subject)};
}

// Phases as they may go: fast and slow servers, failures, late questions.
std::vector<PhaseOptions> many_phases(const Subject& subject) {
  std::vector<PhaseOptions> all;
  for (const int64_t mean_ns : {int64_t{1}, int64_t{50'000'000}, int64_t{3'000'000'000}}) {
    for (const int fail_one_in : {0, 1, 3}) {
      for (const bool asks_late : {false, true}) {
        PhaseOptions options = plain(subject);
        options.seed = all.size() + 1;
        options.mean_ns = mean_ns;
        options.fail_one_in = fail_one_in;
        options.asks_late = asks_late;
        all.push_back(options);
      }
    }
  }
  return all;
}

// Fails where any phase breaks this rule.
Finding obeys(const Subject& subject, Phase::Rule rule) {
  for (const PhaseOptions& options : many_phases(subject)) {
    auto pattern = make(subject);
    if (!pattern) return no_pattern(pattern.error());
    const Phase phase = run_phase(*pattern, options);
    if (phase.rule == rule)
      return fail("after " + std::to_string(phase.times_ns.size()) + " releases: " + phase.failure);
  }
  return pass();
}

Finding answers(const Subject& subject) {
  return obeys(subject, Phase::Rule::status);
}
Finding keeps_time(const Subject& subject) {
  return obeys(subject, Phase::Rule::times);
}
Finding never_deadlocks(const Subject& subject) {
  return obeys(subject, Phase::Rule::deadlock);
}
Finding answers_in_few_calls(const Subject& subject) {
  return obeys(subject, Phase::Rule::calls);
}

Finding releases(const Subject& subject) {
  auto pattern = make(subject);
  if (!pattern) return no_pattern(pattern.error());
  const Phase phase = run_phase(*pattern, plain(subject));
  if (phase.rule != Phase::Rule::none) return skip("breaks another rule");
  return phase.times_ns.empty() ? fail("is done without one release")
                                : pass(std::to_string(phase.times_ns.size()) + " releases");
}

Finding repeats_itself(const Subject& subject) {
  auto one = make(subject), other = make(subject);
  if (!one || !other) return no_pattern(one ? other.error() : one.error());
  const Phase first = run_phase(*one, plain(subject)), second = run_phase(*other, plain(subject));
  if (first.times_ns == second.times_ns && first.users == second.users) return pass();
  return fail("the same seed and the same ends give other times");
}

Finding is_independent(const Subject& subject) {
  if (!is_open_loop(subject)) return skip("is a closed loop");
  auto reference = make(subject);
  if (!reference) return no_pattern(reference.error());
  const std::vector<int64_t> times_ns = run_phase(*reference, plain(subject)).times_ns;
  auto again = make(subject);
  if (!again || run_phase(*again, plain(subject)).times_ns != times_ns) return skip("see pattern.repeatable");
  for (const PhaseOptions& options : many_phases(subject)) {
    auto pattern = make(subject);
    if (!pattern) return no_pattern(pattern.error());
    if (run_phase(*pattern, options).times_ns != times_ns) {
      return fail("its times depend on what ends, or on when it is asked; those of an open loop must not");
    }
  }
  return pass();
}

Finding stays_done(const Subject& subject) {
  auto pattern = make(subject);
  if (!pattern) return no_pattern(pattern.error());
  PhaseOptions options = plain(subject);
  options.releases = 100'000;
  if (!run_phase(*pattern, options).done) return skip("is not done after 100,000 releases");
  for (int again = 0; again < 3; ++again) {
    if (!run_phase(*pattern, options).times_ns.empty()) return fail("releases again after TKM_LOAD_DONE");
  }
  return pass();
}

// ---- shards

Finding ignores_shards(const Subject& subject) {
  auto whole = make(subject);
  if (!whole) return no_pattern(whole.error());
  const std::vector<int64_t> times_ns = run_phase(*whole, plain(subject)).times_ns;
  auto again = make(subject);
  if (!again || run_phase(*again, plain(subject)).times_ns != times_ns) return skip("see pattern.repeatable");
  auto shard = make(subject, 2, 3);
  if (!shard) return fail("cannot be made for shard 2 of 3: " + shard.error().message);
  if (run_phase(*shard, plain(subject)).times_ns == times_ns) return pass();
  return fail("gives other times for shard 2 of 3; an open loop ignores shards");
}

Phase long_phase(Pattern& pattern, const Subject& subject) {
  PhaseOptions options = plain(subject);
  options.releases = 5000;
  return run_phase(pattern, options);
}

// How many users it wanted at most by then.
uint32_t users_by(const Phase& phase, int64_t at_ns) {
  uint32_t most = 0;
  for (size_t i = 0; i < phase.users.size() && phase.times_ns[i] <= at_ns; ++i)
    most = std::max(most, phase.users[i]);
  return most;
}

Finding shards_add_up(const Subject& subject) {
  if (is_open_loop(subject)) return ignores_shards(subject);
  auto whole = make(subject);
  if (!whole) return no_pattern(whole.error());
  const Phase phase = long_phase(*whole, subject);
  const int64_t end_ns =
      phase.times_ns.empty() ? 0 : phase.times_ns.back();  // a share's releases take longer
  const uint32_t users = users_by(phase, end_ns);
  for (const uint32_t count : {2u, 3u, 7u}) {
    uint32_t sum = 0;
    for (uint32_t shard = 0; shard < count; ++shard) {
      auto share = make(subject, shard, count);
      if (!share)
        return fail("cannot be made for shard " + std::to_string(shard) + " of " + std::to_string(count) +
                    ": " + share.error().message);
      sum += users_by(long_phase(*share, subject), end_ns);
    }
    if (sum != users) {
      return fail(std::to_string(count) + " shards have " + std::to_string(sum) +
                  " users together, the whole has " + std::to_string(users));
    }
  }
  return pass(std::to_string(users) + " users");
}

Finding keeps_to_its_users(const Subject& subject) {
  auto pattern = make(subject);
  if (!pattern) return no_pattern(pattern.error());
  const Phase phase = run_phase(*pattern, plain(subject));
  if (is_open_loop(subject))
    return phase.most_users == 0
               ? pass()
               : fail("an open loop has no users, but it tells " + std::to_string(phase.most_users));
  if (phase.times_ns.empty()) return skip("see pattern.releases");
  if (phase.most_users == 0) return fail("never tells how many users it wants");
  if (phase.most_active > phase.most_users) {
    return fail("has " + std::to_string(phase.most_active) + " entries active and tells " +
                std::to_string(phase.most_users) + " users");
  }
  return pass();
}

// ---- hot calls

Finding computes_in_peace(const Subject& subject) {
  auto pattern = make(subject);
  if (!pattern) return no_pattern(pattern.error());
  return run_confined([&] { return run_phase(*pattern, plain(subject)), pass(); });
}

Finding leaks_nothing(const Subject& subject) {
  if (auto pattern = make(subject); !pattern) return no_pattern(pattern.error());
  const size_t lost = bytes_lost_per_round([&] {
    auto pattern = make(subject);
    if (pattern) run_phase(*pattern, plain(subject));
  });
  return lost == 0 ? pass() : fail(std::to_string(lost) + " bytes are left behind by a phase");
}

constexpr std::array kTests{
    Test{"pattern.answers", "next() never fails", answers},
    Test{"pattern.releases", "it releases", releases},
    Test{"pattern.times", "an open loop's times never fall, a closed loop's are never before now",
         keeps_time},
    Test{"pattern.repeatable", "the same seed and the same ends give the same times", repeats_itself},
    Test{"pattern.independent", "an open loop's times depend on nothing that happens", is_independent},
    Test{"pattern.deadlock", "it never waits for ever with nothing active", never_deadlocks},
    Test{"pattern.done", "after TKM_LOAD_DONE nothing comes", stays_done},
    Test{"pattern.shards", "a closed loop's shards add up, an open loop ignores them", shards_add_up},
    Test{"pattern.users", "a closed loop tells its users and keeps to them", keeps_to_its_users},
    Test{"pattern.calls", "it takes few calls from one release to the next", answers_in_few_calls},
    Test{"pattern.system-calls", "next() makes no system call but for memory", computes_in_peace},
    Test{"pattern.no-leak", "a phase leaves no memory behind", leaks_nothing}};

}  // namespace

std::span<const Test> pattern_tests() {
  return kTests;
}

}  // namespace tokometer::check

// When requests start: drives one load pattern through one phase. Pure logic; the caller brings the time.
//
// All times are nanoseconds since the start of the phase. An open loop is asked ahead of time, for
// one release after the other up to the horizon; a closed loop is asked at the start and then at the end of
// each entry. An entry is one request or a whole session, whose later turns the caller releases by itself.
// What the pattern commits to comes out of `take_due` in order of time. The phase's own limits
// (time, count, cool-down) are applied here; the pattern knows none of them.
//
//   PhaseScheduler scheduler(pattern, limits);
//   while (auto at_ns = scheduler.take_due(now_ns, now_ns + look_ahead_ns)) send(*at_ns);
//   scheduler.entry_ended(scheduled_ns, end_ns, true);
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "plugin/handles.hpp"

namespace tokometer {

struct PhaseLimits {
  std::optional<int64_t> duration_ns = {};  // warm-up and measure window; the window ends here
  std::optional<uint64_t> requests = {};    // or entries until there are so many requests; none is cut
  std::optional<uint64_t> sessions = {};    // or so many entries
  // The load goes on after the window until its requests have ended, at most this long ...
  int64_t cooldown_ns = 0;
  std::optional<uint64_t> cooldown_requests = {};  // ... and with so many requests
  bool open_loop = true;
  // For slow answers: past duration_ns the window goes on until so many of its requests have ended, those
  // scheduled before warmup_ns not counted, and at most until longest_ns.
  uint64_t least_ended = 0;
  int64_t warmup_ns = 0;
  int64_t longest_ns = 0;
};

class PhaseScheduler {
 public:
  // For patterns that follow a trace: when the sample that the next release will get is due, on the data's
  // own clock; none: there are no more.
  using NextArrival = std::function<std::optional<int64_t>()>;

  // `pattern` outlives the scheduler.
  PhaseScheduler(Pattern& pattern, const PhaseLimits& limits, NextArrival next_arrival = {});

  // The next release with a time up to `horizon_ns`, or nothing for now. `now_ns` only serves waits of the
  // pattern.
  std::optional<int64_t> take_due(int64_t now_ns, int64_t horizon_ns);

  // An entry that was taken has ended, at `end_ns`. `scheduled_ns` is the time that take_due gave or, of a
  // session, that of its last turn; `turns_left` those that it will not have.
  void entry_ended(int64_t scheduled_ns, int64_t end_ns, bool ok, uint64_t turns_left = 0);

  // What was just taken is a session of so many turns. All but the first are to come: each is taken when it
  // is released, and ends, after which the session goes on.
  void session_taken(uint64_t turns);
  void turn_taken(int64_t at_ns);
  void turn_ended(int64_t scheduled_ns, int64_t end_ns);
  uint64_t turns_to_come() const noexcept { return turns_to_come_; }

  // There is no sample for what was just taken at `at_ns`: it is no request, nor is what was committed to
  // behind it. The load ends when the turns of the sessions that have begun are taken.
  void data_ended(int64_t at_ns);

  // The run is being stopped: nothing more is released.
  // Returns the commitments that were inside the phase and not yet taken.
  std::vector<int64_t> stop();

  // With the overload policy `block` the pattern's clock stands still while requests are held: the release
  // taken for `at_ns` goes `by_ns` later, which is its scheduled time from now on, and all that is asked for
  // later shifts alike.
  void shift(int64_t at_ns, int64_t by_ns);
  void stand_still(int64_t by_ns) noexcept { shift_ns_ += by_ns; }  // the same for a later turn of a session

  // Beside other workloads the load goes on, too, until the requests of their windows have ended.
  void others_measure(bool yes) noexcept { others_measure_ = yes; }
  bool has_open_window() const noexcept { return !ended_ && limits_.duration_ns && open_in_window_ > 0; }

  // Where the window ends, as it looks now.
  std::optional<int64_t> duration_ns() const noexcept { return limits_.duration_ns; }

  bool load_ended() const noexcept { return ended_; }
  uint64_t released() const noexcept { return released_; }
  uint32_t active() const noexcept { return active_; }
  uint32_t users() const noexcept { return users_; }  // closed loop: what the pattern wants now
  int64_t next_time_ns() const noexcept;  // when take_due has something to do again; INT64_MAX: at an end
  const std::string& fault() const noexcept {
    return fault_;
  }  // not empty: the pattern broke its contract; the load has ended

 private:
  void ask(int64_t now_ns);
  void ask_until_it_waits(int64_t now_ns);
  void release(int64_t at_ns, int64_t now_ns);
  void wait(int64_t until_ns);
  int64_t next_arrival_ns();
  int64_t pattern_shift_ns() const noexcept;
  void fail(std::string sentence);
  void end_if_window_is_done(int64_t now_ns);
  void close_window_if_enough(int64_t now_ns);
  void request_taken(int64_t at_ns);
  void drop_if_enough();
  bool cooldown_is_used_up() const noexcept;
  bool window_has_ended() const noexcept { return open_in_window_ == 0 && !others_measure_; }
  bool nothing_to_come() const noexcept { return committed_.empty() && turns_to_come_ == 0; }
  int64_t last_time_ns() const noexcept;  // releases at or after it are outside the phase

  Pattern& pattern_;
  PhaseLimits limits_;
  NextArrival next_arrival_;
  std::optional<int64_t> first_arrival_ns_;  // the time 0 of the phase, on the data's clock
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> committed_;  // times, not yet taken
  int64_t latest_ns_ = INT64_MIN;  // the latest time committed to; those of an open loop never fall
  int64_t wait_until_ns_ = -1;     // -1: the pattern may be asked now
  int64_t shift_ns_ = 0;
  uint64_t asked_releases_ = 0;  // RELEASEs inside the phase, taken or not
  uint64_t released_ = 0;        // taken
  uint64_t later_turns_ = 0;     // of the sessions among them
  uint64_t turns_to_come_ = 0;   // of these, not yet taken
  uint64_t completed_ = 0;
  uint64_t failed_ = 0;
  uint64_t open_in_window_ = 0;  // taken, scheduled before the window's end, not ended
  bool others_measure_ = false;
  uint64_t taken_in_cooldown_ = 0;
  int64_t planned_end_ns_ = 0;  // of the window, where least_ended may move it
  uint64_t counted_ended_ = 0;  // towards least_ended
  int64_t last_taken_ns_ = -1;
  bool window_is_open_ = false;  // until least_ended is met
  uint32_t active_ = 0;          // entries from RELEASE to their end
  uint32_t in_flight_ = 0;
  uint32_t users_ = 0;
  bool done_ = false;       // no more is asked: it said DONE, ran past the phase, or gave all that are wanted
  bool said_done_ = false;  // the load ends with the last commitment, before the phase does
  bool ended_ = false;
  std::string fault_;
};

}  // namespace tokometer

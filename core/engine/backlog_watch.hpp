// Watches the backlog of one phase of an open loop while it runs: is the rate hopelessly above what the
// server can do? Time is cut into windows of 5 s, or of five times what the first answers took if that is
// longer. It is, if the backlog grows in two windows in a row by the test of V10 (docs/methodology.md), and
// over all windows by more than half of its mean. No clock, no I/O; the load driver feeds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tokometer {

class BacklogWatch {
 public:
  // `from_ns`: what comes before is a warm-up. All times since the start of the phase.
  explicit BacklogWatch(int64_t from_ns) : from_ns_(from_ns) {}

  // From now on so many requests are in flight or wait for the cap. Time never goes backwards.
  void note(int64_t now_ns, uint64_t backlog);
  // A request was answered; the first few say from when on the load may be steady.
  void answered(int64_t took_ns);

  bool is_hopeless() const { return hopeless_; }

 private:
  static constexpr int kWindows = 2;
  static constexpr int64_t kFirstAnswers = 8;

  void end_bin();
  void end_window();

  int64_t from_ns_;
  int64_t answers_ = 0, took_sum_ns_ = 0;  // of the first ones
  size_t window_bins_ = 0;                 // 0: not known, the first answers are awaited
  int64_t counted_to_ns_ = 0;
  uint64_t backlog_ = 0;
  int64_t bin_end_ns_ = 0;
  double bin_sum_ = 0;          // of the bin so far: backlog x ns
  std::vector<double> series_;  // means of bins, from the begin of the first window on
  int growing_in_a_row_ = 0;
  bool hopeless_ = false;
};

}  // namespace tokometer

#include "engine/backlog_watch.hpp"

#include <algorithm>
#include <span>

#include "metrics/statistics.hpp"

namespace tokometer {
namespace {

constexpr int64_t kBinNs = 200'000'000;
constexpr double kLeastShare = 0.5;  // of the mean: so much must the backlog have risen since the begin
constexpr int64_t kLeastWindowNs = 5'000'000'000, kWindowPerAnswer = 5;

}  // namespace

void BacklogWatch::answered(int64_t took_ns) {
  if (answers_ == kFirstAnswers) return;
  took_sum_ns_ += took_ns;
  if (++answers_ < kFirstAnswers) return;
  const int64_t mean_ns = took_sum_ns_ / kFirstAnswers;
  from_ns_ = std::max(from_ns_, mean_ns);
  window_bins_ = static_cast<size_t>(std::max(kLeastWindowNs, kWindowPerAnswer * mean_ns) / kBinNs);
}

void BacklogWatch::note(int64_t now_ns, uint64_t backlog) {
  while (counted_to_ns_ < now_ns) {
    if (counted_to_ns_ == bin_end_ns_) bin_end_ns_ += kBinNs;
    const int64_t to_ns = std::min(now_ns, bin_end_ns_);
    bin_sum_ += static_cast<double>(backlog_) * static_cast<double>(to_ns - counted_to_ns_);
    counted_to_ns_ = to_ns;
    if (to_ns == bin_end_ns_) end_bin();
  }
  backlog_ = backlog;
}

void BacklogWatch::end_bin() {
  const double mean = bin_sum_ / static_cast<double>(kBinNs);
  bin_sum_ = 0;
  if (window_bins_ == 0 || bin_end_ns_ - kBinNs < from_ns_) return;
  series_.push_back(mean);
  if (series_.size() % window_bins_ == 0) end_window();
}

// What comes and goes may rise in two windows by chance, or because a long answer holds others up: then it
// does not go on.
void BacklogWatch::end_window() {
  const bool grows = rise_of(std::span(series_).last(window_bins_)).significant;
  growing_in_a_row_ = grows ? growing_in_a_row_ + 1 : 0;
  if (growing_in_a_row_ < kWindows) return;
  const Rise rise = rise_of(series_);
  hopeless_ = rise.significant && rise.requests > kLeastShare * mean_of(series_);
}

}  // namespace tokometer

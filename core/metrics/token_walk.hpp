// The token events of one request as the formulas want them: how many tokens each event stands for, and the gaps
// inside each choice with the events of one socket read taken as one. Private to core/metrics.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "metrics/record.hpp"

namespace tokometer {

// Output tokens of a request: the headline count, else what was counted per event, else the events. Absent: unknown.
inline int64_t output_tokens_of(const RequestRecord& r) {
  if (r.output_tokens != kAbsent) return r.output_tokens;
  if (r.per_event_tokens != kAbsent) return r.per_event_tokens;
  return r.events > 0 ? r.events : kAbsent;
}

// k of an event: what the server stated, scaled so that all events sum to N; N / events where it stated nothing.
class TokenWeights {
 public:
  explicit TokenWeights(const RequestRecord& r) : total_(std::max<double>(0, static_cast<double>(output_tokens_of(r)))) {
    int64_t sum = 0;
    for (Timeline::Cursor cursor(r.timeline); cursor.next();) {
      stated_ &= cursor.entry().tokens != 0;
      sum += cursor.entry().tokens;
    }
    const auto events = static_cast<double>(r.timeline.empty() ? r.events : static_cast<int64_t>(r.timeline.size()));
    stated_ &= sum > 0;
    unit_ = stated_ ? total_ / static_cast<double>(sum) : events > 0 ? total_ / events : 0;
  }
  double of(const Timeline::Entry& entry) const { return stated_ ? unit_ * entry.tokens : unit_; }
  double spread() const { return unit_; }
  bool stated() const { return stated_; }

 private:
  double total_, unit_ = 0;
  bool stated_ = true;
};

// Calls f(gap_us, k) for each gap of the request, in order of the events that end it. Reuses its memory.
class GapWalk {
 public:
  template <class F>
  void operator()(const RequestRecord& r, const TokenWeights& weights, F&& f) {
    choices_.clear();
    for (Timeline::Cursor cursor(r.timeline); cursor.next();) {
      const Timeline::Entry& entry = cursor.entry();
      Open& open = choice(entry.choice);
      if (open.any && entry.at_us != open.at_us) close(open, f);
      if (!open.any || entry.at_us != open.at_us) open = {true, open.any, open.at_us, entry.at_us, 0};
      open.tokens += weights.of(entry);
    }
    for (Open& open : choices_) {
      if (open.any) close(open, f);
    }
  }

 private:
  // The events of one choice that share a stamp, and the stamp before it.
  struct Open {
    bool any = false, has_before = false;
    int64_t before_us = 0, at_us = 0;
    double tokens = 0;
  };
  template <class F>
  static void close(const Open& open, F&& f) {
    if (open.has_before) f(open.at_us - open.before_us, open.tokens);
  }
  Open& choice(uint32_t number) {
    constexpr uint32_t kMost = 4096;
    number = std::min(number, kMost);
    if (number >= choices_.size()) choices_.resize(number + 1);
    return choices_[number];
  }
  std::vector<Open> choices_;
};

}  // namespace tokometer

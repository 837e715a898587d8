// The token events of one request as the formulas want them: how many tokens each event stands for, and the
// gaps inside each choice with the events of one socket read taken as one. Private to core/metrics.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "metrics/record.hpp"

namespace tokometer {

// Output tokens of a request: the headline count, else what was counted per event, else the events. Absent:
// unknown.
inline int64_t output_tokens_of(const RequestRecord& r) {
  if (r.output_tokens != kAbsent) return r.output_tokens;
  if (r.per_event_tokens != kAbsent) return r.per_event_tokens;
  return r.events > 0 ? r.events : kAbsent;
}

// One token event; `tokens` is k: what the server stated, scaled so that all events sum to N; N / events
// where it stated nothing.
struct TokenEvent {
  int64_t at_us;  // since T1
  double tokens;
  uint32_t choice;
};

// The token events of the request at hand, unpacked once for all formulas. Reuses its memory.
class TokenEvents {
 public:
  void load(const RequestRecord& r) {
    events_.clear();
    bool stated = true;
    int64_t sum = 0;
    for (Timeline::Cursor cursor(r.timeline); cursor.next();) {
      const Timeline::Entry& entry = cursor.entry();
      events_.push_back({entry.at_us, static_cast<double>(entry.tokens), entry.choice});
      stated &= entry.tokens != 0;
      sum += entry.tokens;
    }
    const int64_t tokens = std::max<int64_t>(0, output_tokens_of(r));
    const size_t count =
        events_.empty() ? static_cast<size_t>(std::max<int64_t>(r.events, 1)) : events_.size();
    spread_ = static_cast<double>(tokens) / static_cast<double>(count);
    if (stated && sum == tokens) return;
    const double scale = stated && sum > 0 ? static_cast<double>(tokens) / static_cast<double>(sum) : 0;
    for (TokenEvent& event : events_) event.tokens = scale > 0 ? event.tokens * scale : spread_;
  }

  const std::vector<TokenEvent>& all() const { return events_; }
  double spread() const { return spread_; }  // N / events

 private:
  std::vector<TokenEvent> events_;
  double spread_ = 0;
};

// Calls f(gap_us, k) for each gap of the request, in order of the events that end it. Reuses its memory.
class GapWalk {
 public:
  template <class F>
  void operator()(const std::vector<TokenEvent>& events, F&& f) {
    choices_.clear();
    for (const TokenEvent& event : events) {
      Open& open = choice(event.choice);
      if (open.any && event.at_us != open.at_us) close(open, f);
      if (!open.any || event.at_us != open.at_us) open = {true, open.any, open.at_us, event.at_us, 0};
      open.tokens += event.tokens;
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

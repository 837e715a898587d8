#include "engine/timer_wheel.hpp"

#include <algorithm>

namespace tokometer {

void TimerWheel::link(Entry& entry, int64_t at_ns) {
  // Not before the next tick, so that an entry put back while a slot is drained does not come up in the same
  // pass.
  const int64_t tick = std::clamp(at_ns / kTickNs + 1, tick_ + 1, tick_ + kSlots - 1);
  Entry*& head = slots_[static_cast<size_t>(tick % kSlots)];
  entry.armed_for_ns_ = tick * kTickNs;
  entry.previous_ = nullptr;
  entry.next_ = head;
  if (head != nullptr) head->previous_ = &entry;
  head = &entry;
}

void TimerWheel::arm(Entry& entry) {
  const int64_t at_ns = entry.deadline_ns();
  if (entry.armed_for_ns_ != kNever && entry.armed_for_ns_ <= at_ns + kTickNs) return;
  disarm(entry);
  if (at_ns != kNever) link(entry, at_ns);
}

void TimerWheel::disarm(Entry& entry) noexcept {
  if (entry.armed_for_ns_ == kNever) return;
  Entry*& head = slots_[static_cast<size_t>((entry.armed_for_ns_ / kTickNs) % kSlots)];
  if (entry.previous_ != nullptr) entry.previous_->next_ = entry.next_;
  if (entry.next_ != nullptr) entry.next_->previous_ = entry.previous_;
  if (head == &entry) head = entry.next_;
  entry.next_ = entry.previous_ = nullptr;
  entry.armed_for_ns_ = kNever;
}

void TimerWheel::advance(int64_t now_ns) {
  for (const int64_t last = now_ns / kTickNs; tick_ < last;) {
    ++tick_;
    Entry*& head = slots_[static_cast<size_t>(tick_ % kSlots)];
    while (head != nullptr) {
      Entry& entry = *head;
      disarm(entry);
      const int64_t at_ns = entry.deadline_ns();
      if (at_ns <= now_ns) {
        entry.on_deadline(now_ns);
      } else if (at_ns != kNever) {
        link(entry, at_ns);
      }
    }
  }
}

}  // namespace tokometer

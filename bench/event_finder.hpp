// Finds the simulator's events in the TCP payload of captured segments, in the order of their arrival. An
// event is complete with the blank line that ends it; its stamp is the JSON key "tkm": 16 hex digits of time,
// 8 of stream, 8 of seq. One per connection. Only for answers whose events are not cut (no "split"): a
// chunk's head would lie inside.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tokometer::bench {

class EventFinder {
 public:
  static constexpr size_t kStampBytes = 32;

  // A new connection begins at this sequence number.
  void begin(uint32_t sequence) {
    next_ = sequence;
    known_ = true;
    rest_.clear();
  }

  // Calls found(stamp) for each event that this segment completes. What was seen before is skipped; a hole is
  // counted, and what lay before it is given up.
  template <typename Found>
  void segment(uint32_t sequence, std::string_view payload, Found found) {
    if (!known_) begin(sequence);
    const auto ahead = static_cast<int32_t>(sequence - next_);
    if (ahead < 0) {
      const auto seen = static_cast<size_t>(-static_cast<int64_t>(ahead));
      if (seen >= payload.size()) return;
      payload.remove_prefix(seen);
    } else if (ahead > 0) {
      ++holes_;
      begin(sequence);
    }
    next_ += static_cast<uint32_t>(payload.size());
    rest_.append(payload);
    take(found);
  }

  uint64_t holes() const { return holes_; }

 private:
  static constexpr size_t kLongest = size_t{1} << 20;  // of one event: more is no event stream
  static constexpr std::string_view kKey = R"("tkm":")";

  template <typename Found>
  void take(Found found) {
    size_t from = 0;
    for (;;) {
      const size_t end = rest_.find("\n\n", from);
      if (end == std::string::npos) break;
      const std::string_view event(rest_.data() + from, end - from);
      const size_t key = event.rfind(kKey);
      if (key != std::string_view::npos && event.size() >= key + kKey.size() + kStampBytes) {
        found(event.substr(key + kKey.size(), kStampBytes));
      }
      from = end + 2;
    }
    rest_.erase(0, from);
    if (rest_.size() > kLongest) rest_.clear();
  }

  std::string rest_;  // of an event that is not complete
  uint32_t next_ = 0;
  uint64_t holes_ = 0;
  bool known_ = false;
};

}  // namespace tokometer::bench

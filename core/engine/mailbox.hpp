// Hands values from several threads to one: producers push, the consumer takes all that is there at once.
// One short lock a push. It carries requests and completions, never tokens.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

namespace tokometer {

template <class T>
class Mailbox {
 public:
  // True when the box was empty: the one push that has to wake the consumer.
  bool push(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    return values_.size() == 1;
  }

  // Swaps the waiting values into `out`, whose old content is dropped and whose capacity is kept for the next
  // pushes.
  void take(std::vector<T>& out) {
    out.clear();
    const std::lock_guard lock(mutex_);
    std::swap(out, values_);
  }

 private:
  std::mutex mutex_;
  std::vector<T> values_;
};

}  // namespace tokometer

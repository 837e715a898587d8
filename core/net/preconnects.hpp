// The jobs of Pool::preconnect, one after another, at most 64 connections under way. Bookkeeping only: its
// pool opens the connections and says how each went.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <utility>

#include "base/error.hpp"

namespace tokometer {

class Preconnects {
 public:
  bool empty() const noexcept { return jobs_.empty(); }

  void add(size_t connections, std::function<void(Result<void>)> done) {
    jobs_.push_back({.left = connections, .done = std::move(done)});
  }

  // Whether one more is to be opened now.
  bool take() {
    if (jobs_.empty() || jobs_.front().left == 0 || jobs_.front().running >= kAtOnce) return false;
    --jobs_.front().left;
    ++jobs_.front().running;
    return true;
  }

  // One of them stands, or has failed: then the rest of its job is not opened.
  void on_result(std::optional<Error> error) {
    Job& job = jobs_.front();
    --job.running;
    if (error) job.left = 0;
    if (error && !job.error) job.error = std::move(error);
  }

  // Tells the first job's caller if it is over: true. Call it where the caller may come back into the pool.
  bool finish() {
    if (jobs_.empty() || jobs_.front().running > 0 || jobs_.front().left > 0) return false;
    const Job over = std::move(jobs_.front());
    jobs_.pop_front();
    over.done(over.error ? Result<void>(*over.error) : Result<void>());
    return true;
  }

 private:
  static constexpr size_t kAtOnce = 64;  // stays below the smallest usual listen backlog

  struct Job {
    size_t left = 0, running = 0;
    std::optional<Error> error = {};
    std::function<void(Result<void>)> done;
  };
  std::list<Job> jobs_;
};

}  // namespace tokometer

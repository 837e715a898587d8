#include "engine/backlog_watch.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <queue>
#include <tokometer/random.hpp>

using namespace tokometer;

namespace {

constexpr int64_t kSecond = 1'000'000'000;

// When the watch gives up, in s, on Poisson arrivals at `rate` for a server with `slots` that takes a mean of
// `mean_s` for each request; -1: never, within `seconds`.
double gives_up(double rate, double mean_s, size_t slots, double seconds, uint64_t seed,
                int64_t from_ns = 0) {
  BacklogWatch watch(from_ns);
  tkm::Random random(seed, "arrivals");
  using Ends =
      std::priority_queue<std::pair<double, double>, std::vector<std::pair<double, double>>, std::greater<>>;
  Ends running;  // end and begin
  std::deque<double> queue;
  const auto start = [&](double now, double arrived) {
    running.emplace(now + mean_s * (0.5 + random.uniform()), arrived);
  };
  double arrival = random.exponential(1 / rate);
  while (true) {
    const bool is_end = !running.empty() && running.top().first < arrival;
    const double now = is_end ? running.top().first : arrival;
    if (now > seconds) return -1;
    if (is_end) {
      watch.answered(static_cast<int64_t>((now - running.top().second) * 1e9));
      running.pop();
      if (!queue.empty()) start(now, queue.front()), queue.pop_front();
    } else {
      running.size() < slots ? start(now, now) : queue.push_back(now);
      arrival += random.exponential(1 / rate);
    }
    watch.note(static_cast<int64_t>(now * 1e9), running.size() + queue.size());
    if (watch.is_hopeless()) return now;
  }
}

}  // namespace

TEST_CASE("a rate above the server's is given up, far above it after two windows") {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    const double at = gives_up(200, 0.5, 10, 60, seed);  // 20 a second can be done
    CHECK(at > 10);
    CHECK(at < 13);
    const double half_too_much = gives_up(30, 0.5, 10, 120, seed);
    CHECK(half_too_much > 10);
  }
}

TEST_CASE("a rate that the server can do is not given up") {
  int given_up = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    given_up += gives_up(10, 0.5, 10, 300, seed) > 0;  // half of what it can do
    given_up += gives_up(50, 2, 1000, 300, seed) > 0;  // it never queues
    given_up += gives_up(2, 20, 1000, 300, seed) > 0;  // slow answers: the start is a rise of 20 s
  }
  CHECK(given_up == 0);
}

TEST_CASE("windows grow with the answers, and a warm-up is left out") {
  const double slow = gives_up(20, 10, 10, 600, 1);  // 1 a second can be done; answers take 10 s and more
  CHECK(slow > 80);
  const double late = gives_up(200, 0.5, 10, 60, 1, 20 * kSecond);
  CHECK(late > 30);
  CHECK(late < 45);
}

TEST_CASE("before the first answers nothing is judged") {
  BacklogWatch watch(0);
  for (int64_t at = 0; at < 600; ++at) watch.note(at * kSecond / 10, static_cast<uint64_t>(at));
  CHECK_FALSE(watch.is_hopeless());
}

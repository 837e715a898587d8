// Due times of mode fixed.
#include "sim/pace.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace tokometer::sim {
namespace {

constexpr int64_t kMs = 1'000'000;

Shape shape_of(int64_t ttft_ms, int64_t itl_ms) {
  Shape shape;
  shape.ttft_ns = ttft_ms * kMs;
  shape.itl_ns = itl_ms * kMs;
  return shape;
}

TEST_CASE("spread: constant from the stream's own arrival") {
  const Pace pace({});
  const Shape shape = shape_of(50, 10);
  CHECK(pace.first_due(shape, 3, 1000 * kMs) == 1050 * kMs);
  CHECK(pace.next_due(shape, 3, 1, 1050 * kMs) == 1060 * kMs);
}

TEST_CASE("step: all streams on one grid, never early") {
  const Pace pace({.origin_ns = 7, .step_ns = 20 * kMs});
  const Shape shape = shape_of(50, 20);
  for (const int64_t arrival : {0L, 1L, 9'999'999L, 123'456'789L}) {
    const int64_t due = pace.first_due(shape, 0, arrival);
    CHECK((due - 7) % (20 * kMs) == 0);
    CHECK(due >= arrival + 50 * kMs);
    CHECK(due < arrival + 70 * kMs);
    CHECK(pace.next_due(shape, 0, 1, due) == due + 20 * kMs);
  }
}

TEST_CASE("ttft_spread is even over the requests") {
  const Pace pace({.ttft_spread_ns = 10 * kMs});
  std::vector<int64_t> shares;
  for (uint32_t stream = 0; stream < 1000; ++stream)
    shares.push_back(pace.first_due(shape_of(0, 10), stream, 0));
  std::sort(shares.begin(), shares.end());
  CHECK(shares.front() >= 0);
  CHECK(shares.back() < 10 * kMs);
  int64_t widest = 0;
  for (size_t i = 1; i < shares.size(); ++i) widest = std::max(widest, shares[i] - shares[i - 1]);
  CHECK(widest < 2 * 10 * kMs / 1000);  // golden sections: no gap wider than 1.7 times the mean
}

TEST_CASE("jitter depends on seed, stream and token alone") {
  const Pace a({.jitter = 0.2, .seed = 1}), b({.jitter = 0.2, .seed = 1}), other({.jitter = 0.2, .seed = 2});
  const Shape shape = shape_of(50, 10);
  CHECK(a.next_due(shape, 5, 9, 0) == b.next_due(shape, 5, 9, 0));
  CHECK(a.next_due(shape, 5, 9, 0) != a.next_due(shape, 5, 10, 0));
  CHECK(a.next_due(shape, 5, 9, 0) != other.next_due(shape, 5, 9, 0));
  double sum = 0;
  for (uint64_t index = 1; index <= 4000; ++index) sum += static_cast<double>(a.next_due(shape, 0, index, 0));
  CHECK(sum / 4000 / kMs == doctest::Approx(10).epsilon(0.02));
}

TEST_CASE("nothing is due inside a stall; later tokens keep their gaps") {
  Pace pace({});
  pace.set_stall(Stall(1000 * kMs, 500 * kMs));
  const Shape shape = shape_of(50, 10);
  CHECK(pace.first_due(shape, 0, 949 * kMs) == 999 * kMs);
  CHECK(pace.first_due(shape, 0, 960 * kMs) == 1500 * kMs);
  CHECK(pace.next_due(shape, 0, 1, 995 * kMs) == 1500 * kMs);
  CHECK(pace.next_due(shape, 0, 2, 1500 * kMs) == 1510 * kMs);
  CHECK(pace.first_due(shape, 0, 1200 * kMs) == 1550 * kMs);  // arrived while all stood still
}

}  // namespace
}  // namespace tokometer::sim

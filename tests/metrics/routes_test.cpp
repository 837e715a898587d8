// Figures by model and adapter: sums and percentiles of each, and none where all requests went the same way.
#include <doctest/doctest.h>

#include "run_dir.hpp"

using namespace tokometer;
using namespace tokometer::test;

namespace {

// Ten requests a second; `adapter_of(i)` says where each goes. TTFT (1 + i) ms.
template <class Adapter>
std::vector<RequestRecord> records(BlockPool& pool, int n, const Adapter& adapter_of) {
  std::vector<RequestRecord> all;
  for (int i = 0; i < n; ++i) {
    RequestRecord r = ok_record(pool, static_cast<uint64_t>(i), i * 100 * kMs, (1 + i) * kMs, {10'000});
    r.model = "m", r.adapter = adapter_of(i);
    all.push_back(std::move(r));
  }
  return all;
}

PhaseOptions first(uint64_t requests) {
  PhaseOptions options;
  options.requests = requests;
  return options;
}

}  // namespace

TEST_CASE("a row for each adapter, and for the model itself") {
  RunDir dir;
  BlockPool pool;
  auto all = records(pool, 20, [](int i) { return i % 4 == 0 ? "sql" : i % 4 == 1 ? "chat" : ""; });
  all[5].status = Status::failed, all[5].cls = "status.500";  // of "chat"
  const Summary summary = dir.summarize(plain_manifest(), lines_of(all, first(20)));
  REQUIRE(summary.phases.size() == 1);
  const auto& routes = summary.phases[0].routes;
  REQUIRE(routes.size() == 3);
  CHECK(routes[0].adapter.empty());
  CHECK(routes[1].adapter == "chat");
  CHECK(routes[2].adapter == "sql");
  CHECK(routes[0].counts.issued == 10);
  CHECK(routes[1].counts.ok == 4);
  CHECK(routes[1].counts.failed == 1);
  CHECK(routes[2].input_tokens == 5 * 128);
  CHECK(routes[2].ttft.count == 5);
  CHECK(routes[2].ttft.mean == doctest::Approx(9e6));  // 1, 5, 9, 13, 17 ms
  CHECK(static_cast<double>(routes[2].ttft.p50) == doctest::Approx(9e6).epsilon(0.001));
  CHECK(static_cast<double>(routes[2].ttft.p99) == doctest::Approx(17e6).epsilon(0.001));
  CHECK(routes[2].output_tokens == routes[2].counts.ok * 2);
}

TEST_CASE("one way only: no rows") {
  RunDir dir;
  BlockPool pool;
  const auto all = records(pool, 5, [](int) { return "sql"; });
  CHECK(dir.summarize(plain_manifest(), lines_of(all, first(5))).phases[0].routes.empty());
}

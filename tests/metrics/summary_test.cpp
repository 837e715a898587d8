#include "metrics/summary.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tokometer/random.hpp>

#include "run_dir.hpp"

using namespace tokometer;
using namespace tokometer::test;

namespace {

// A token event as the oracle sees it.
struct Event {
  int64_t at_us;
  uint32_t tokens, choice;
};

struct Generated {
  std::vector<RequestRecord> records;
  std::vector<std::vector<Event>> events;  // of the record with the same index
};

// A run with everything in it: failures of all kinds, coalesced reads, several tokens an event, two choices,
// caps.
Generated generate(uint64_t seed, BlockPool& pool, double bad_share, int n) {
  tkm::Random random(seed);
  Generated run;
  int64_t s = 0;
  for (int i = 0; i < n; ++i) {
    s += static_cast<int64_t>(random.exponential(20e6));
    RequestRecord r;
    r.seq = static_cast<uint64_t>(i), r.workload = "default", r.phase = "main", r.scheduled_ns = s;
    std::vector<Event> events;
    const double fate = random.uniform();
    if (fate < bad_share * 0.1) {
      r.status = Status::not_issued, r.cls = "overload", r.end_ns = s + 1000;
    } else {
      r.released_ns = s + static_cast<int64_t>(random.below(2'000));
      r.sent_ns = r.released_ns + static_cast<int64_t>(random.below(50'000));
      r.first_token_ns = r.sent_ns + static_cast<int64_t>(random.exponential(60e6)) + 1000;
      int64_t at_us = 0;
      const bool multi = random.chance(0.3), two = random.chance(0.2);
      for (uint64_t k = 0, count = 1 + random.below(40); k < count; ++k) {
        if (k > 0 && !random.chance(0.1)) at_us += 1 + static_cast<int64_t>(random.below(30'000));
        events.push_back({at_us, multi ? static_cast<uint32_t>(1 + random.below(8)) : 1,
                          two ? static_cast<uint32_t>(random.below(2)) : 0});
      }
      int64_t tokens = 0, before = -1;
      for (const Event& e : events) {
        r.timeline.add(pool, e.at_us, e.tokens, {e.at_us == before, e.choice});
        before = e.at_us;
        tokens += e.tokens;
      }
      r.events = static_cast<int64_t>(events.size());
      r.last_token_ns = r.first_token_ns + at_us * 1000;
      r.end_ns = r.last_token_ns + static_cast<int64_t>(random.below(100'000));
      r.output_tokens = tokens, r.prompt_tokens = static_cast<int64_t>(random.below(500)),
      r.token_source = TokenSource::usage;
      if (fate < bad_share) {
        const double kind = random.uniform();
        r.status = kind < 0.3 ? Status::cancelled : Status::failed;
        r.cls = kind < 0.3 ? "drain" : kind < 0.6 ? "timeout.idle" : "status.503";
        r.error = "because";
      } else {
        r.status = Status::ok;
      }
    }
    run.records.push_back(std::move(r));
    run.events.push_back(std::move(events));
  }
  return run;
}

struct Oracle {
  int64_t w0, w1;
  bool in_window(const RequestRecord& r) const { return r.scheduled_ns >= w0 && r.scheduled_ns < w1; }
};

// Nearest rank, by counting: the smallest value with at least p of the sample at or below it.
double nearest_by_counting(const std::vector<int64_t>& values, uint32_t per_mille) {
  std::set<int64_t> candidates(values.begin(), values.end());
  for (const int64_t candidate : candidates) {
    const auto below = static_cast<uint64_t>(
        std::count_if(values.begin(), values.end(), [&](int64_t v) { return v <= candidate; }));
    if (below * 1000 >= per_mille * values.size()) return static_cast<double>(candidate);
  }
  return -1;
}

const Scalar& scalar(const PhaseSummary& phase, std::string_view id) {
  const Scalar* found = phase.find_scalar(id);
  REQUIRE_MESSAGE(found != nullptr, std::string(id));
  return *found;
}

const Distribution& metric(const PhaseSummary& phase, std::string_view id) {
  const Distribution* found = phase.find_metric(id);
  REQUIRE_MESSAGE(found != nullptr, std::string(id));
  return *found;
}

using Getter = int64_t (*)(const RequestRecord&);
const std::pair<const char*, Getter> kLatencies[] = {
    {"ttft_sched", [](const RequestRecord& r) { return r.first_token_ns - r.scheduled_ns; }},
    {"ttft_sent", [](const RequestRecord& r) { return r.first_token_ns - r.sent_ns; }},
    {"e2e_sched", [](const RequestRecord& r) { return r.end_ns - r.scheduled_ns; }},
    {"e2e_sent", [](const RequestRecord& r) { return r.end_ns - r.sent_ns; }},
};

}  // namespace

TEST_CASE("the numbers of a generated run equal a straightforward computation") {
  for (const double bad_share : {0.0, 0.01, 0.1, 0.5}) {
    for (const uint64_t seed : {1u, 2u, 3u}) {
      CAPTURE(bad_share);
      CAPTURE(seed);
      BlockPool pool;
      const Generated run = generate(seed, pool, bad_share, 600);
      const Oracle oracle{2 * kSecond, 9 * kSecond};
      PhaseOptions options;
      options.duration_ns = oracle.w1;
      options.warmup = {Span::Kind::duration, oracle.w0, 0};
      options.load_end_ns = 12 * kSecond;
      Manifest manifest = plain_manifest();
      manifest.slo.ttft_ns = 100 * kMs, manifest.slo.tpot_ns = 12 * kMs, manifest.slo.itl_p99_ns = 30 * kMs;
      const RunDir dir;
      const Summary summary = dir.summarize(manifest, lines_of(run.records, options));
      REQUIRE(summary.phases.size() == 1);
      const PhaseSummary& phase = summary.phases[0];
      CHECK(phase.w0_ns == oracle.w0);
      CHECK(phase.w1_ns == oracle.w1);
      CHECK(find_check(summary, "V2")->grade == Grade::valid);

      {  // counts, latencies and adjusted percentiles
        uint64_t planned = 0, ok = 0;
        for (const RequestRecord& r : run.records) {
          planned += oracle.in_window(r);
          ok += oracle.in_window(r) && r.status == Status::ok;
        }
        CHECK(phase.counts.planned == planned);
        CHECK(phase.counts.ok == ok);
        for (const auto& latency : kLatencies) {
          const char* const id = latency.first;
          const Getter value = latency.second;
          CAPTURE(id);
          std::vector<int64_t> good;
          std::vector<double> lower, upper;  // bounds of every planned request
          for (const RequestRecord& r : run.records) {
            if (!oracle.in_window(r)) continue;
            const bool sent_basis = std::string_view(id).find("sent") != std::string_view::npos;
            const int64_t from = sent_basis ? r.sent_ns : r.scheduled_ns;
            const double age = from == kAbsent ? INFINITY : static_cast<double>(r.end_ns - from);
            if (r.status == Status::ok) good.push_back(value(r));
            const bool censored = r.status == Status::cancelled || r.cls == "timeout.idle";
            const bool came = std::string_view(id).starts_with("ttft") && r.first_token_ns != kAbsent;
            const bool known = r.status == Status::ok || (r.status == Status::cancelled && came);
            lower.push_back(known ? static_cast<double>(value(r)) : censored ? age : INFINITY);
            upper.push_back(known ? static_cast<double>(value(r)) : INFINITY);
          }
          std::sort(lower.begin(), lower.end());
          std::sort(upper.begin(), upper.end());
          const Distribution& d = metric(phase, id);
          CHECK(d.count == good.size());
          CHECK(d.adjusted.has_value() == (good.size() != lower.size()));
          for (size_t i = 0; i < kPercentiles.size(); ++i) {
            CAPTURE(kPercentiles[i].id);
            CHECK(d.percentiles[i] == nearest_by_counting(good, kPercentiles[i].per_mille));
            if (!d.adjusted) continue;
            const size_t rank =
                std::max<size_t>((lower.size() * kPercentiles[i].per_mille + 999) / 1000, 1) - 1;
            const Adjusted& a = (*d.adjusted)[i];
            if (lower[rank] == INFINITY) {
              CHECK(a.kind == Adjusted::Kind::infinite);
            } else {
              CHECK(a.value == lower[rank]);
              CHECK((a.kind == Adjusted::Kind::value) == (lower[rank] == upper[rank]));
            }
          }
        }
      }

      {  // gaps: inside each choice, one per read
        std::vector<int64_t> gaps, per_token, longest;
        double weight = 0, weighted = 0;
        for (size_t i = 0; i < run.records.size(); ++i) {
          const RequestRecord& r = run.records[i];
          if (!oracle.in_window(r) || r.status != Status::ok) continue;
          std::map<std::pair<uint32_t, int64_t>, uint32_t> reads;  // (choice, time) -> tokens
          for (const Event& e : run.events[i]) reads[{e.choice, e.at_us}] += e.tokens;
          int64_t most = 0;
          for (auto read = reads.begin(); read != reads.end(); ++read) {
            if (read == reads.begin() || std::prev(read)->first.first != read->first.first) continue;
            const int64_t gap = (read->first.second - std::prev(read)->first.second) * 1000;
            gaps.push_back(gap);
            weight += read->second;
            weighted +=
                static_cast<double>(std::llround(static_cast<double>(gap) / read->second)) * read->second;
            most = std::max(most, gap);
          }
          if (most > 0) longest.push_back(most);
        }
        const Distribution& itl = metric(phase, "itl");
        CHECK(itl.count == gaps.size());
        CHECK(itl.min > 0);
        double sum = 0;
        for (const int64_t gap : gaps) sum += static_cast<double>(gap);
        CHECK(itl.mean == doctest::Approx(sum / static_cast<double>(gaps.size())).epsilon(1e-12));
        for (size_t i = 0; i < kPercentiles.size(); ++i) {
          CHECK(itl.percentiles[i] ==
                doctest::Approx(nearest_by_counting(gaps, kPercentiles[i].per_mille)).epsilon(0.00025));
        }
        const Distribution& each = metric(phase, "itl_per_token");
        CHECK(static_cast<double>(each.count) == weight);
        CHECK(each.mean == doctest::Approx(weighted / weight).epsilon(1e-9));
        CHECK(metric(phase, "longest_gap").percentile("p99") == nearest_by_counting(longest, 990));
      }

      {  // rates and tokens by arrival, concurrency, goodput
        const double window_s = static_cast<double>(oracle.w1 - oracle.w0) / 1e9;
        double offered = 0, sent = 0, completed = 0, output = 0, lost = 0, input = 0, wire = 0, system = 0,
               good = 0, planned = 0;
        const auto inside = [&](int64_t at) { return at >= oracle.w0 && at < oracle.w1 ? 1.0 : 0.0; };
        const auto overlap = [&](int64_t from, int64_t to) {
          return static_cast<double>(
              std::max<int64_t>(0, std::min(to, oracle.w1) - std::max(from, oracle.w0)));
        };
        std::vector<std::pair<int64_t, int64_t>> on_wire;
        for (size_t i = 0; i < run.records.size(); ++i) {
          const RequestRecord& r = run.records[i];
          const bool ok = r.status == Status::ok;
          offered += inside(r.scheduled_ns);
          planned += oracle.in_window(r);
          if (r.status == Status::not_issued) continue;
          sent += inside(r.sent_ns);
          completed += ok ? inside(r.end_ns) : 0;
          input += ok ? inside(r.first_token_ns) * static_cast<double>(r.prompt_tokens) : 0;
          wire += overlap(r.sent_ns, r.end_ns);
          system += overlap(r.scheduled_ns, r.end_ns);
          on_wire.emplace_back(r.sent_ns, r.end_ns);
          std::vector<int64_t> own_gaps;
          std::map<uint32_t, int64_t> last;
          for (const Event& e : run.events[i]) {
            (ok ? output : lost) += inside(r.first_token_ns + e.at_us * 1000) * e.tokens;
            if (last.count(e.choice) != 0 && last[e.choice] != e.at_us)
              own_gaps.push_back((e.at_us - last[e.choice]) * 1000);
            last[e.choice] = e.at_us;
          }
          if (!ok || !oracle.in_window(r)) continue;
          const double rest = static_cast<double>(r.output_tokens - run.events[i][0].tokens);
          const double tpot = rest > 0 ? static_cast<double>(r.last_token_ns - r.first_token_ns) / rest : 0;
          const bool itl_good = own_gaps.empty() || nearest_by_counting(own_gaps, 990) <= 30e6;
          good +=
              r.first_token_ns - r.scheduled_ns <= 100 * kMs && std::llround(tpot) <= 12 * kMs && itl_good;
        }
        CHECK(scalar(phase, "offered_rate").number() == doctest::Approx(offered / window_s));
        CHECK(scalar(phase, "sent_rate").number() == doctest::Approx(sent / window_s));
        CHECK(scalar(phase, "completed_rate").number() == doctest::Approx(completed / window_s));
        CHECK(scalar(phase, "output_tokens_per_s").number() == doctest::Approx(output / window_s));
        CHECK(scalar(phase, "lost_tokens_per_s").number() == doctest::Approx(lost / window_s));
        CHECK(scalar(phase, "input_tokens_per_s").number() == doctest::Approx(input / window_s));
        CHECK(scalar(phase, "total_tokens_per_s").number() == doctest::Approx((input + output) / window_s));
        CHECK(scalar(phase, "concurrency_wire").number() == doctest::Approx(wire / 1e9 / window_s));
        CHECK(scalar(phase, "concurrency_system").number() == doctest::Approx(system / 1e9 / window_s));
        CHECK(static_cast<double>(phase.good) == good);
        CHECK(scalar(phase, "goodput_ratio").number() == doctest::Approx(good / planned));
        int64_t peak = 0;  // a peak begins where an interval begins, or at the window's edge
        for (const auto& begin : on_wire) {
          const int64_t at = std::max(begin.first, oracle.w0);
          if (at >= oracle.w1) continue;
          peak = std::max<int64_t>(peak, std::count_if(on_wire.begin(), on_wire.end(), [&](const auto& w) {
                                     return w.first <= at && at < w.second;
                                   }));
        }
        CHECK(std::get<int64_t>(scalar(phase, "concurrency_wire_peak").value) == peak);
      }
    }
  }
}

TEST_CASE("zero ok: everything is still there, and nothing is invented") {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 20; ++i) {
    RequestRecord r = ok_record(pool, i, static_cast<int64_t>(i) * 100 * kMs, 50 * kMs, {});
    r.status = Status::failed, r.cls = "status.503", r.error = "busy";
    r.timeline.release();
    r.first_token_ns = r.last_token_ns = r.first_event_ns = r.first_answer_ns = kAbsent;
    r.events = 0, r.output_tokens = r.prompt_tokens = kAbsent;
    records.push_back(std::move(r));
  }
  PhaseOptions options;
  options.duration_ns = 2 * kSecond;
  const RunDir dir;
  const Summary summary = dir.summarize(plain_manifest(), lines_of(records, options));
  const PhaseSummary& phase = summary.phases.at(0);
  CHECK(phase.counts.failed == 20);
  CHECK(metric(phase, "ttft_sched").count == 0);
  CHECK((*metric(phase, "ttft_sched").adjusted)[0].kind == Adjusted::Kind::infinite);
  CHECK(phase.find_metric("itl") == nullptr);
  CHECK(phase.find_metric("tpot") == nullptr);
  REQUIRE(phase.errors.size() == 1);
  CHECK(phase.errors[0].message == "busy");
  CHECK(phase.errors[0].share == 1.0);
  CHECK(scalar(phase, "error_ratio").number() == 1.0);
  CHECK(find_check(summary, "V12")->grade == Grade::invalid);
  CHECK(summary.verdict == Grade::invalid);
}

TEST_CASE("windows") {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 200; ++i)
    records.push_back(ok_record(pool, i, static_cast<int64_t>(i) * 100 * kMs, 50 * kMs, {10'000, 10'000}));
  const RunDir dir;
  PhaseOptions options;
  const auto window = [&] {
    const Summary summary = dir.summarize(plain_manifest(), lines_of(records, options));
    return std::pair{summary.phases.at(0).w0_ns, summary.phases.at(0).w1_ns};
  };
  SUBCASE("a duration, warm-up by time") {
    options.duration_ns = 15 * kSecond, options.warmup = {Span::Kind::duration, 3 * kSecond, 0};
    CHECK(window() == std::pair{3 * kSecond, 15 * kSecond});
  }
  SUBCASE("warm-up by count: w0 is the S of the next request") {
    options.duration_ns = 15 * kSecond, options.warmup = {Span::Kind::count, 0, 25};
    CHECK(window() == std::pair{2'500 * kMs, 15 * kSecond});
  }
  SUBCASE("limited by count: the window ends just behind the last S") {
    options.requests = 200, options.warmup = {Span::Kind::count, 0, 20};
    CHECK(window() == std::pair{2 * kSecond, 19'900 * kMs + 1});
  }
  SUBCASE("no limit but the dataset: the same") {
    CHECK(window() == std::pair{int64_t{0}, 19'900 * kMs + 1});
  }
  SUBCASE("stopped early: the window ends with the load") {
    options.duration_ns = 60 * kSecond, options.load_end_ns = 20 * kSecond;
    CHECK(window() == std::pair{int64_t{0}, 20 * kSecond});
  }
  SUBCASE("a phase that begins later") {
    options.begin_ns = 5 * kSecond, options.duration_ns = 10 * kSecond,
    options.warmup = {Span::Kind::duration, kSecond, 0};
    CHECK(window() == std::pair{6 * kSecond, 15 * kSecond});
  }
  SUBCASE("fewer than ten batches: the first fifth") {
    options.duration_ns = 9 * kSecond, options.warmup = {Span::Kind::automatic};
    CHECK(window() == std::pair{9 * kSecond / 5, 9 * kSecond});
  }
  SUBCASE("an unsteady pattern has no automatic warm-up") {
    options.duration_ns = 20 * kSecond, options.warmup = {Span::Kind::automatic}, options.unsteady = true;
    CHECK(window().first == 0);
  }
  SUBCASE("all start at once: the window ends with the last E") {
    records.clear();
    for (uint64_t i = 0; i < 50; ++i)
      records.push_back(
          ok_record(pool, i, static_cast<int64_t>(i) * 1000, 50 * kMs, {static_cast<int64_t>(i) * 1000 + 1}));
    options.requests = 50;
    CHECK(window() == std::pair{int64_t{0}, records.back().end_ns + 1});
  }
}

TEST_CASE("the automatic warm-up cuts the start burst, and never more than half") {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 400; ++i) {  // TTFT 500 ms in the first 4 s, then 50 ms
    const int64_t s = static_cast<int64_t>(i) * 100 * kMs;
    records.push_back(ok_record(pool, i, s, s < 4 * kSecond ? 500 * kMs : 50 * kMs, {10'000}));
  }
  PhaseOptions options;
  options.duration_ns = 40 * kSecond, options.warmup = {Span::Kind::automatic};
  const RunDir dir;
  const Summary summary = dir.summarize(plain_manifest(), lines_of(records, options));
  CHECK(summary.phases[0].warmup == Window::automatic);
  CHECK(summary.phases[0].w0_ns >= 4 * kSecond);
  CHECK(summary.phases[0].w0_ns <= 20 * kSecond);
}

TEST_CASE("a whole reply has no TTFT, and its tokens count at E") {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 10; ++i) {
    RequestRecord r = ok_record(pool, i, static_cast<int64_t>(i) * 400 * kMs, 50 * kMs, {100'000});
    r.first_token_ns = r.last_token_ns = r.first_event_ns = r.first_answer_ns = kAbsent;
    r.timeline.release();
    r.events = 0, r.output_tokens = 30;
    records.push_back(std::move(r));
  }
  PhaseOptions options;
  options.duration_ns = 3 * kSecond;
  const RunDir dir;
  const Summary summary = dir.summarize(plain_manifest(), lines_of(records, options));
  const PhaseSummary& phase = summary.phases[0];
  CHECK(phase.find_metric("ttft_sched") == nullptr);
  CHECK(metric(phase, "e2e_sched").count == 8);
  CHECK(metric(phase, "ntpot_sched").count == 8);
  CHECK(scalar(phase, "output_tokens_per_s").number() ==
        doctest::Approx(8 * 30 / 3.0));  // E of the 8th at 2.95 s
}

TEST_CASE("TPOT leaves the tokens of the first event out, stated or spread") {
  BlockPool pool;
  PhaseOptions options;
  options.duration_ns = 3 * kSecond;
  const RunDir dir;
  std::vector<RequestRecord> records;
  records.push_back(ok_record(pool, 0, 0, 50 * kMs, {100'000, 100'000}));
  SUBCASE("stated: 8 tokens, then 4 and 4") {
    records[0].timeline.release();
    records[0].timeline.add(pool, 0, 8);
    records[0].timeline.add(pool, 100'000, 4);
    records[0].timeline.add(pool, 200'000, 4);
    records[0].output_tokens = 16;
    const Summary s = dir.summarize(plain_manifest(), lines_of(records, options));
    CHECK(metric(s.phases[0], "tpot").mean == 25 * kMs);
    CHECK(metric(s.phases[0], "itl_per_token").count == 8);
    CHECK(s.phases[0].mean_tokens_per_event == doctest::Approx(16.0 / 3));
  }
  SUBCASE("spread: 30 tokens over 3 events") {
    records[0].output_tokens = 30;
    const Summary s = dir.summarize(plain_manifest(), lines_of(records, options));
    CHECK(metric(s.phases[0], "tpot").mean == 10 * kMs);
    CHECK(metric(s.phases[0], "itl_per_token").percentile("p50") ==
          doctest::Approx(10.0 * kMs).epsilon(0.0003));
  }
  SUBCASE("all in one event: no TPOT") {
    records[0] = ok_record(pool, 0, 0, 50 * kMs, {});
    records[0].output_tokens = 30;
    const Summary s = dir.summarize(plain_manifest(), lines_of(records, options));
    CHECK(s.phases[0].find_metric("tpot") == nullptr);
  }
}

TEST_CASE("a request that overlaps from the phase before counts for arrivals, not for latencies") {
  BlockPool pool;
  RecordWriter writer;
  PhaseLine line;
  line.workload = "default", line.phase = "before", line.duration_ns = kSecond,
  line.warmup.kind = Span::Kind::none, line.load = "poisson";
  writer.write_phase(line);
  line.phase = "main", line.at_ns = kSecond;
  writer.write_phase(line);
  RequestRecord early =
      ok_record(pool, 0, 900 * kMs, 200 * kMs, {100'000, 100'000});  // tokens at 1.1, 1.2, 1.3 s
  early.phase = "before";
  writer.write_request(early);
  const RequestRecord own = ok_record(pool, 1, 1'100 * kMs, 100 * kMs, {100'000});
  writer.write_request(own);
  writer.write_end({3 * kSecond,
                    "finished",
                    {{"default", "before", 1, 1, 0, 1, 0, 0}, {"default", "main", 1, 1, 0, 1, 0, 0}}});
  const RunDir dir;
  const Summary summary = dir.summarize(plain_manifest(), writer.pending());
  REQUIRE(summary.phases.size() == 2);
  const PhaseSummary& main = summary.phases[1];
  CHECK(metric(main, "ttft_sched").count == 1);
  CHECK(scalar(main, "completed_rate").number() == 2.0);
  CHECK(scalar(main, "output_tokens_per_s").number() == 5.0);
  CHECK(std::get<int64_t>(scalar(main, "concurrency_wire_peak").value) == 2);
}

TEST_CASE("what the client used is the difference between the ticks at the window's two ends") {
  BlockPool pool;
  std::vector<RequestRecord> records;
  for (uint64_t i = 0; i < 60; ++i)
    records.push_back(ok_record(pool, i, static_cast<int64_t>(i) * 100 * kMs, 50 * kMs, {10'000}));
  std::vector<TickLine> ticks;
  for (int64_t s = 1; s <= 8; ++s) {
    TickLine tick;  // 0.9 cores in the first two seconds, then 0.3
    tick.at_ns = s * kSecond;
    tick.cpu_ns = std::min<int64_t>(s, 2) * 900 * kMs + std::max<int64_t>(s - 2, 0) * 300 * kMs;
    tick.rss_peak_bytes = s * 1'000'000;
    ticks.push_back(std::move(tick));
  }
  PhaseOptions options;
  options.duration_ns = 6 * kSecond, options.warmup = {Span::Kind::duration, 2 * kSecond, 0};
  const RunDir dir;
  const Summary summary = dir.summarize(plain_manifest(), lines_of(records, options, ticks));
  const PhaseSummary& phase = summary.phases[0];
  REQUIRE(phase.has_client);
  CHECK(phase.cpu_ns == 4 * 300 * kMs);
  CHECK(phase.ticked_ns == 4 * kSecond);
  CHECK(phase.cores_used() == doctest::Approx(0.3));
  CHECK(phase.rss_peak_bytes == 6'000'000);
}

TEST_CASE("a phase that is not to be measured is not reported") {
  RecordWriter writer;
  PhaseLine line;
  line.workload = "default", line.phase = "fill", line.measure = false;
  writer.write_phase(line);
  writer.write_end({kSecond, "finished", {{"default", "fill"}}});
  const RunDir dir;
  CHECK(dir.summarize(plain_manifest(), writer.pending()).phases.empty());
}

TEST_CASE("files that cannot be read are errors that name them") {
  const RunDir dir;
  CHECK(to_string(summarize(dir.path()).error()).find("manifest.json") != std::string::npos);
  dir.write("manifest.json", "{\"schema_version\":99}");
  CHECK(summarize(dir.path()).error().message.find("schema_version must be 1 (got 99)") == 0);
  dir.write("manifest.json", manifest_json(plain_manifest()));
  CHECK(to_string(summarize(dir.path()).error()).find("records.jsonl") != std::string::npos);
  dir.write("records.jsonl", "");  // killed before the first line
  const auto empty = summarize(dir.path());
  REQUIRE(empty);
  CHECK(empty->verdict == Grade::invalid);
}

#include "metrics/timeline.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <tokometer/random.hpp>
#include <vector>

using namespace tokometer;

namespace {

std::vector<Timeline::Entry> entries_of(const Timeline& timeline) {
  std::vector<Timeline::Entry> all;
  for (Timeline::Cursor cursor(timeline); cursor.next();) all.push_back(cursor.entry());
  return all;
}

}  // namespace

TEST_CASE("a timeline gives back what was added, over many blocks") {
  tkm::Random random(7);
  BlockPool pool(4);
  Timeline timeline;
  std::vector<Timeline::Entry> expected;
  int64_t at_us = 0;
  for (int i = 0; i < 1000; ++i) {
    Timeline::Entry entry{at_us, static_cast<uint32_t>(random.below(300)),
                          static_cast<uint32_t>(random.below(3)), random.below(4) == 0};
    expected.push_back(entry);
    timeline.add(pool, entry.at_us, entry.tokens, {entry.coalesced, entry.choice});
    at_us +=
        i % 50 == 0 ? 3'000'000'000 : static_cast<int64_t>(random.below(40'000)) - 5;  // also back in time
  }
  const auto got = entries_of(timeline);
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i].at_us == expected[i].at_us);
    CHECK(got[i].tokens == expected[i].tokens);
    CHECK(got[i].choice == expected[i].choice);
    CHECK(got[i].coalesced == expected[i].coalesced);
  }
}

TEST_CASE("a warm pool makes no more blocks") {
  BlockPool pool(16);
  pool.reserve(64);
  const size_t warm = pool.capacity();
  Timeline timeline;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 500; ++i) timeline.add(pool, i * 20'000, 1);
    timeline.release();
    CHECK(timeline.empty());
  }
  CHECK(pool.capacity() == warm);
}

TEST_CASE("a moved timeline owns the blocks, the old one is empty and usable") {
  BlockPool pool;
  Timeline first;
  first.add(pool, 0, 1);
  first.add(pool, 12, 8);
  Timeline second(std::move(first));
  CHECK(second.size() == 2);
  CHECK(first.empty());  // NOLINT: the state after a move is promised
  first.add(pool, 0, 5);
  CHECK(entries_of(first)[0].tokens == 5);
  CHECK(entries_of(second)[1].at_us == 12);
}

TEST_CASE("blocks released by another thread come back to their pool") {
  BlockPool pool(8);
  constexpr int kRounds = 2000;
  std::atomic<Timeline*> slot{nullptr};
  std::thread writer([&] {
    for (int done = 0; done < kRounds;) {
      if (Timeline* timeline = slot.exchange(nullptr))
        delete timeline, ++done;  // releases
      else
        std::this_thread::yield();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    auto* timeline = new Timeline;
    for (int token = 0; token < 100; ++token) timeline->add(pool, token * 1000, 1);
    for (Timeline* expected = nullptr; !slot.compare_exchange_weak(expected, timeline); expected = nullptr) {
      std::this_thread::yield();
    }
  }
  writer.join();
  CHECK(pool.capacity() < 100);  // three timelines at a time, not two thousand
}

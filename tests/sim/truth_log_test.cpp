// The truth log's files.
#include "sim/truth_log.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "sim/lateness.hpp"

namespace tokometer::sim {
namespace {

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(name_) != nullptr); }
  ~Folder() { std::filesystem::remove_all(name_); }
  std::filesystem::path path() const { return name_; }

 private:
  char name_[32] = "/tmp/tokometer-truth-XXXXXX";
};

std::vector<TruthRow> rows_of(const std::filesystem::path& file) {
  const auto bytes = read_file(file, 64u << 20u);
  REQUIRE(bytes);
  REQUIRE(bytes->size() % sizeof(TruthRow) == 0);
  std::vector<TruthRow> rows(bytes->size() / sizeof(TruthRow));
  std::memcpy(rows.data(), bytes->data(), bytes->size());
  return rows;
}

TruthRow row(uint32_t seq) {
  return {.due_ns = 10 + seq, .sent_ns = 20 + seq, .stream = 1, .seq = seq, .bytes = 250, .tokens = 1};
}

TEST_CASE("rows are there before the file is closed, and it ends with the last one after") {
  const Folder folder;
  auto log = TruthLog::create(folder.path() / "new");
  REQUIRE(log);
  constexpr uint32_t kRows = 140'000;  // more than one window
  for (uint32_t seq = 0; seq < kRows; ++seq) REQUIRE((*log)->add(row(seq)));
  auto rows = rows_of(folder.path() / "new" / "truth.bin");
  REQUIRE(rows.size() > kRows);
  CHECK(rows[kRows - 1].seq == kRows - 1);
  CHECK(rows[kRows].due_ns == 0);
  log->reset();
  rows = rows_of(folder.path() / "new" / "truth.bin");
  REQUIRE(rows.size() == kRows);
  for (uint32_t seq = 0; seq < kRows; ++seq) REQUIRE(rows[seq].seq == seq);
}

TEST_CASE("an earlier truth is never overwritten") {
  const Folder folder;
  { REQUIRE(TruthLog::create(folder.path())); }
  CHECK_FALSE(TruthLog::create(folder.path()));
}

TEST_CASE("lines of requests") {
  const Folder folder;
  auto log = TruthLog::create(folder.path());
  REQUIRE(log);
  REQUIRE((*log)->add_request(R"({"stream":0})"));
  REQUIRE((*log)->add_request(R"({"stream":1})"));
  CHECK(*read_file(folder.path() / "truth.jsonl", 1024) == "{\"stream\":0}\n{\"stream\":1}\n");
}

TEST_CASE("lateness: quantiles within 1.6 %") {
  Lateness late;
  CHECK(late.quantile_ns(0.5) == 0);
  for (int64_t ns = 1; ns <= 100'000; ++ns) late.add(ns);
  late.add(-5);  // sent a little early counts as on time
  CHECK(late.count() == 100'001);
  CHECK(static_cast<double>(late.quantile_ns(0.5)) == doctest::Approx(50'000).epsilon(0.016));
  CHECK(static_cast<double>(late.quantile_ns(0.99)) == doctest::Approx(99'000).epsilon(0.016));
  CHECK(late.max_ns() == 100'000);
  CHECK(late.quantile_ns(1) == 100'000);
}

}  // namespace
}  // namespace tokometer::sim

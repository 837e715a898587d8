// The counting rule, and the prefix cache.
#include "sim/tokens.hpp"

#include <doctest/doctest.h>

namespace tokometer::sim {
namespace {

TEST_CASE("a token is a word, or 16 bytes of a long one") {
  const std::pair<const char*, uint64_t> rows[] = {{"", 0},
                                                   {"  \n\t", 0},
                                                   {"one", 1},
                                                   {" one two\nthree ", 3},
                                                   {"0123456789abcdef", 1},
                                                   {"0123456789abcdefg", 2},
                                                   {"a  b", 2}};
  for (const auto& row : rows) {
    const std::string text = row.first;
    const uint64_t count = row.second;
    CAPTURE(text);
    CHECK(count_tokens(text) == count);
    CHECK(split_tokens(text).size() == count);
  }
  CHECK(token_id("sea") == token_id("sea"));
  CHECK(token_id("sea") != token_id("see"));
  CHECK(token_id("sea") < kVocabulary);
}

TEST_CASE("each output token is one word that names request, choice and index") {
  std::string text;
  append_token(text, 12, 0, 7);
  append_token(text, 12, 1, 0);
  CHECK(text == " r12t7 r12c1t0");
  CHECK(count_tokens(text) == 2);
}

std::vector<int32_t> numbers(int32_t from, int32_t count) {
  std::vector<int32_t> out;
  for (int32_t i = 0; i < count; ++i) out.push_back(from + i);
  return out;
}

TEST_CASE("whole blocks of a known beginning are hits, but never the whole prompt") {
  PrefixCache cache(1600);
  CHECK(cache.look_up(numbers(0, 100), "") == 0);
  CHECK(cache.look_up(numbers(0, 100), "") == 96);
  CHECK(cache.look_up(numbers(0, 64), "") == 48);  // 64 are known, one must be left to compute
  CHECK(cache.look_up(numbers(1, 100), "") == 0);
  CHECK(cache.look_up(numbers(0, 100), "salt") == 0);
  auto forked = numbers(0, 100);
  forked[40] = -1;
  CHECK(cache.look_up(forked, "") == 32);
  cache.clear();
  CHECK(cache.look_up(numbers(0, 100), "") == 0);
}

TEST_CASE("the oldest blocks go when the cache is full") {
  PrefixCache cache(64);  // four blocks
  cache.look_up(numbers(0, 65), "");
  cache.look_up(numbers(1000, 33), "");
  CHECK(cache.look_up(numbers(1000, 33), "") == 32);
  CHECK(cache.look_up(numbers(0, 65), "") == 0);
}

}  // namespace
}  // namespace tokometer::sim

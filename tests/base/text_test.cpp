#include "base/text.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

namespace tokometer {

TEST_CASE("durations") {
  struct Row {
    const char* text;
    std::optional<int64_t> ns;
  };
  const std::vector<Row> rows{
      {"200ms", 200'000'000},
      {"1s", 1'000'000'000},
      {"1.5s", 1'500'000'000},
      {"0.001us", 1},
      {"10m", 600'000'000'000},
      {"2h", 7'200'000'000'000},
      {"0s", 0},
      {"00.50s", 500'000'000},
      {"7ns", 7},
      {"9223372036s", 9'223'372'036'000'000'000},
      {"2562047h", 9'223'369'200'000'000'000},
      {"0.1ns", std::nullopt},                  // no whole number of nanoseconds
      {"9223372037s", std::nullopt},            // too long
      {"99999999999999999999h", std::nullopt},  // no number
      {"1.0000000000001s", std::nullopt},
      {"5", std::nullopt},
      {"", std::nullopt},
      {"s", std::nullopt},
      {".5s", std::nullopt},
      {"5.s", std::nullopt},
      {"-5s", std::nullopt},
      {"+5s", std::nullopt},
      {" 5s", std::nullopt},
      {"5 s", std::nullopt},
      {"5s ", std::nullopt},
      {"5S", std::nullopt},
      {"5min", std::nullopt},
      {"1e3s", std::nullopt},
      {"1h30m", std::nullopt},
      {"0x5s", std::nullopt},
      {"infs", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(parse_duration_ns(row.text) == row.ns);
  }
}

TEST_CASE("sizes") {
  struct Row {
    const char* text;
    std::optional<int64_t> bytes;
  };
  const std::vector<Row> rows{
      {"64MiB", 67'108'864},
      {"4KiB", 4096},
      {"10B", 10},
      {"0B", 0},
      {"1kB", 1000},
      {"1KB", 1000},
      {"1MB", 1'000'000},
      {"2GB", 2'000'000'000},
      {"1TB", 1'000'000'000'000},
      {"1.5GiB", 1'610'612'736},
      {"1TiB", 1'099'511'627'776},
      {"8388607TiB", 9'223'370'937'343'148'032},
      {"8388608TiB", std::nullopt},
      {"0.3KiB", std::nullopt},
      {"64", std::nullopt},
      {"64M", std::nullopt},
      {"MiB", std::nullopt},
      {"-1B", std::nullopt},
      {"64 MiB", std::nullopt},
      {"64mib", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(parse_size_bytes(row.text) == row.bytes);
  }
}

TEST_CASE("durations and sizes are written short, and read back to the same value") {
  struct Row {
    int64_t value;
    const char* text;
  };
  const std::vector<Row> durations{{0, "0s"},
                                   {1, "1ns"},
                                   {1500, "1.5us"},
                                   {200'000'000, "200ms"},
                                   {1'500'000'000, "1.5s"},
                                   {90'000'000'000, "90s"},
                                   {300'000'000'000, "5m"},
                                   {7'200'000'000'000, "2h"},
                                   {1'000'000'001, "1000000001ns"},
                                   {std::numeric_limits<int64_t>::max(), "9223372036854775807ns"}};
  for (const Row& row : durations) {
    CHECK(format_duration(row.value) == row.text);
    CHECK(parse_duration_ns(row.text) == row.value);
  }
  CHECK(format_duration(-1'500'000'000) == "-1.5s");
  CHECK(format_duration(std::numeric_limits<int64_t>::min()) == "-9223372036854775808ns");
  const std::vector<Row> sizes{
      {0, "0B"},        {10, "10B"},           {1000, "1KB"},          {1024, "1KiB"},
      {65536, "64KiB"}, {67'108'864, "64MiB"}, {1'000'001, "1000001B"}};
  for (const Row& row : sizes) {
    CHECK(format_size(row.value) == row.text);
    CHECK(parse_size_bytes(row.text) == row.value);
  }
}

TEST_CASE("the nearest name") {
  const std::vector<std::string> names{"rate", "burstiness", "users", "ramp_up", "think_time", "vllm", "a"};
  const auto nearest = [&](std::string_view word) { return nearest_name(word, names).value_or("-"); };
  CHECK(nearest("rat") == "rate");
  CHECK(nearest("rte") == "rate");
  CHECK(nearest("raet") == "rate");  // a swap of neighbours is one step
  CHECK(nearest("burstynes") == "burstiness");
  CHECK(nearest("Users") == "users");
  CHECK(nearest("ramp-up") == "ramp_up");
  CHECK(nearest("vlm") == "vllm");
  CHECK(nearest("thinktime") == "think_time");
  CHECK(nearest("speed") == "-");
  CHECK(nearest("b") == "-");  // as far from "a" as from anything
  CHECK(nearest("") == "-");
  CHECK(nearest(std::string(1000, 'r')) == "-");
  CHECK_FALSE(nearest_name("x", {}).has_value());
}

TEST_CASE("foreign text is made visible") {
  struct Row {
    std::string foreign, shown;
  };
  const std::vector<Row> rows{
      {"plain text", "plain text"},
      {"gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
       "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"},
      {"a\nb\tc\r", "a\\nb\\tc\\r"},
      {"\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"},
      {std::string("nul\0end", 7), "nul\\x00end"},
      {"del\x7f", "del\\x7f"},
      {"c1 \xc2\x9b"
       "31m",
       "c1 \\u009b31m"},
      {"bidi \xe2\x80\xae"
       "txt",
       "bidi \\u202etxt"},
      {"isolate \xe2\x81\xa6", "isolate \\u2066"},
      {"zero\xe2\x80\x8bwidth", "zero\\u200bwidth"},
      {"line\xe2\x80\xa8sep", "line\\u2028sep"},
      {"bom\xef\xbb\xbf", "bom\\ufeff"},
      {"soft\xc2\xadhyphen", "soft\\u00adhyphen"},
      {"tag\xf3\xa0\x81\x81", "tag\\U000e0041"},
      {"bad \xff\xfe", "bad \\xff\\xfe"},
      {"cut \xe2\x80", "cut \\xe2\\x80"},
      {"overlong \xc0\xaf", "overlong \\xc0\\xaf"},
      {"surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80"},
      {"", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.shown);
    CHECK(escape_terminal(row.foreign) == row.shown);
  }
}

TEST_CASE("long foreign text is cut between characters") {
  CHECK(escape_terminal("abcdef", 6) == "abcdef");
  CHECK(escape_terminal("abcdefg", 6) == "abc...");
  CHECK(escape_terminal("ab\xe2\x82\xac\xe2\x82\xac", 6) == "ab...");  // a euro sign does not fit
  CHECK(escape_terminal("a\n\n\n", 6) == "a\\n...");                   // nor half an escape
  CHECK(escape_terminal("abcdef", 2) == "..");
  CHECK(escape_terminal("abcdef", 0).empty());
  CHECK(escape_terminal(std::string(100'000, 'x')).size() == 256);
  for (size_t size = 0; size < 300; ++size) {
    const std::string shown = escape_terminal(std::string(size, '\xe9'), 100);
    CHECK(shown.size() <= 100);
    CHECK(is_valid_utf8(shown));
  }
}

TEST_CASE("UTF-8") {
  for (const char* good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(is_valid_utf8(good));
  }
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    CHECK_FALSE(is_valid_utf8(bad));
  }
  CHECK(is_valid_utf8(std::string_view("a\0b", 3)));
}

}  // namespace tokometer

#include "timestamps.hpp"

#include <charconv>
#include <chrono>

namespace standard {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// A cursor over a text of fixed-width numbers.
struct Scanner {
  std::string_view left;

  bool take(std::string_view any_of) {
    if (left.empty() || any_of.find(left[0]) == any_of.npos) return false;
    left.remove_prefix(1);
    return true;
  }
  std::optional<int> digits(size_t count) {
    int value = 0;
    if (left.size() < count) return std::nullopt;
    for (const char digit : left.substr(0, count)) {
      if (digit < '0' || digit > '9') return std::nullopt;
      value = value * 10 + (digit - '0');
    }
    left.remove_prefix(count);
    return value;
  }
  // Digits behind a point, as parts of `unit`; those below 1 are dropped.
  int64_t fraction(int64_t unit) {
    int64_t value = 0;
    for (; !left.empty() && left[0] >= '0' && left[0] <= '9'; left.remove_prefix(1)) {
      unit /= 10;
      value += unit * (left[0] - '0');
    }
    return value;
  }
};

std::optional<int64_t> day_ns(Scanner& scan) {
  const auto year = scan.digits(4);
  if (!year || !scan.take("-")) return std::nullopt;
  const auto month = scan.digits(2);
  if (!month || !scan.take("-")) return std::nullopt;
  const auto day = scan.digits(2);
  if (!day || *year < 1970 || *year > 2200) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * 86'400 * kSecond;
}

std::optional<int64_t> clock_ns(Scanner& scan) {
  const auto hour = scan.digits(2);
  if (!hour || !scan.take(":")) return std::nullopt;
  const auto minute = scan.digits(2);
  if (!minute || !scan.take(":")) return std::nullopt;
  const auto second = scan.digits(2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const int64_t fraction = scan.take(".") ? scan.fraction(kSecond) : 0;
  return (int64_t{*hour} * 3600 + *minute * 60 + *second) * kSecond + fraction;
}

// "", "Z", "+01:00", "+0100".
std::optional<int64_t> offset_ns(Scanner& scan) {
  if (scan.left.empty() || scan.left == "Z") return 0;
  const int sign = scan.left[0] == '-' ? -1 : 1;
  if (!scan.take("+-")) return std::nullopt;
  const auto hour = scan.digits(2);
  scan.take(":");
  const auto minute = scan.digits(2);
  if (!hour || !minute || !scan.left.empty()) return std::nullopt;
  return sign * (int64_t{*hour} * 3600 + *minute * 60) * kSecond;
}

}  // namespace

std::optional<int64_t> decimal_ns(std::string_view text, int64_t unit_ns) {
  int64_t whole = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (fault != std::errc() || text.front() == '-' || whole > INT64_MAX / unit_ns - 1) return std::nullopt;
  Scanner rest{text.substr(static_cast<size_t>(end - text.data()))};
  const int64_t fraction = rest.take(".") ? rest.fraction(unit_ns) : 0;
  if (!rest.left.empty()) return std::nullopt;
  return whole * unit_ns + fraction;
}

std::optional<int64_t> date_time_ns(std::string_view text) {
  Scanner scan{text};
  const auto day = day_ns(scan);
  if (!day || !scan.take(" T")) return std::nullopt;
  const auto time = clock_ns(scan);
  if (!time) return std::nullopt;
  const auto offset = offset_ns(scan);
  if (!offset) return std::nullopt;
  return *day + *time - *offset;
}

}  // namespace standard

// Times of records, as ns: a number of seconds or milliseconds, or a date with a time
// ("2023-11-16 18:17:03.9799600", also with T, Z and an offset). And the arrivals that follow from them.
#pragma once

#include <tokometer/plugin.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "readers.hpp"

namespace standard {

// A decimal number times `unit_ns`, exact to the ns; nothing for other texts, negative numbers and overflow.
std::optional<int64_t> decimal_ns(std::string_view text, int64_t unit_ns);
// Since 1970, UTC; without an offset the time is taken for UTC.
std::optional<int64_t> date_time_ns(std::string_view text);

struct TimeWindow {
  int64_t from_ns = 0, to_ns = INT64_MAX;
};

// The timestamps of one file in turn. A window `from` - `to` (ns since the first record) cuts a part out.
class Arrivals {
 public:
  enum class Place { before, inside, behind };

  // `name` is the field's, `unit_ns` that of plain numbers.
  Arrivals(std::string name, int64_t unit_ns, TimeWindow window = {})
      : name_(std::move(name)), unit_ns_(unit_ns), window_(window) {}

  // Takes the record's timestamp. Throws a bad record: it is missing, no time, or earlier than one before.
  Place take(const tkm::Json& record, const Records& records);
  // Of the record taken last, ns since the first one inside.
  int64_t arrival_ns() const { return last_ns_ - *first_inside_ns_; }

 private:
  std::optional<int64_t> read(const tkm::Json& value) const;

  std::string name_;
  int64_t unit_ns_;
  TimeWindow window_;
  std::optional<int64_t> first_ns_, first_inside_ns_;
  int64_t last_ns_ = INT64_MIN;
};

}  // namespace standard

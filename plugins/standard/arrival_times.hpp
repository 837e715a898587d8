// When a record of a file arrives, for traces: a number in the unit that the options name, or nothing. Times
// count from the file's first record, so that dates in seconds or milliseconds lose nothing; `from` and `to`
// cut out a part. Kept by a dataset that reads one file; feeder thread.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/options.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace standard {

struct ArrivalOptions {
  std::optional<std::string> timestamp;  // the field's name
  std::string unit = "s";
  std::optional<double> from_s, to_s;
};

class ArrivalTimes {
 public:
  // Throws an Error (TKM_E_CONFIG) where `from` and `to` leave nothing.
  explicit ArrivalTimes(const ArrivalOptions& options);

  // ns since the first record asked about; nothing: not a number, or too large for 64 bits.
  std::optional<int64_t> at_ns(const tkm::Json& timestamp);
  bool is_inside(int64_t at_ns) const { return at_ns >= from_ns_ && at_ns < to_ns_; }
  bool cuts() const { return from_ns_ > INT64_MIN || to_ns_ < INT64_MAX; }

 private:
  std::optional<int64_t> since_origin(int64_t whole) const;

  int64_t unit_ns_;
  int64_t from_ns_, to_ns_;
  std::optional<int64_t> whole_origin_;  // the first record's time in the file's unit
  std::optional<double> origin_;
};

}  // namespace standard

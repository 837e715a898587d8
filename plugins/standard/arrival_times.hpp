// When a record of a file arrives, for traces: a number in the unit that the options name (in CSV as text), a
// date with a time, or nothing. Times count from the file's first record, so that dates in seconds or
// milliseconds lose nothing; `from` and `to` cut out a part. Kept by a dataset that reads one file; feeder
// thread.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace standard {

struct ArrivalOptions {
  std::optional<std::string> timestamp;  // the field's name
  std::string unit = "s";
  std::optional<double> from_s, to_s;
};

// Adds `from` and `to` to the options of a dataset.
template <class T>
void add_window(tkm::OptionSet<T>& o, std::optional<double> T::*from_s, std::optional<double> T::*to_s) {
  o.add("from", from_s)
      .duration()
      .at_least(0)
      .at_most(1e9)
      .help("Only records that arrive so long after the first one, or later.")
      .example("\"10m\"");
  o.add("to", to_s)
      .duration()
      .above(0)
      .at_most(1e9)
      .help("Only records that arrive less than so long after the first one.")
      .example("\"20m\"");
}

class ArrivalTimes {
 public:
  // Throws an Error (TKM_E_CONFIG) where `from` and `to` leave nothing.
  explicit ArrivalTimes(const ArrivalOptions& options);

  // ns since the first record asked about; nothing: no time, or too large for 64 bits.
  std::optional<int64_t> at_ns(const tkm::Json& timestamp);
  bool is_inside(int64_t at_ns) const { return at_ns >= from_ns_ && at_ns < to_ns_; }
  bool cuts() const { return from_ns_ > INT64_MIN || to_ns_ < INT64_MAX; }

 private:
  std::optional<int64_t> since_origin(int64_t whole) const;
  std::optional<int64_t> of_text(std::string_view text);

  int64_t unit_ns_;
  int64_t from_ns_, to_ns_;
  std::optional<int64_t> whole_origin_;  // the first record's time in the file's unit
  std::optional<double> origin_;
  std::optional<int64_t> text_origin_ns_;
};

}  // namespace standard

#include "arrival_times.hpp"

#include <tokometer/plugin.hpp>

#include <cmath>

#include "timestamps.hpp"

namespace standard {
namespace {

int64_t unit_of(const std::string& unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1'000;
  return unit == "ms" ? 1'000'000 : 1'000'000'000;
}

}  // namespace

ArrivalTimes::ArrivalTimes(const ArrivalOptions& options)
    : unit_ns_(unit_of(options.unit)),
      from_ns_(options.from_s ? std::llround(*options.from_s * 1e9) : INT64_MIN),
      to_ns_(options.to_s ? std::llround(*options.to_s * 1e9) : INT64_MAX) {
  if (from_ns_ >= to_ns_) throw tkm::config_error("from, to: \"to\" must lie behind \"from\"");
}

// Whole numbers stay whole: a double does not hold a date in ns.
std::optional<int64_t> ArrivalTimes::since_origin(int64_t whole) const {
  int64_t since = 0, ns = 0;
  if (__builtin_sub_overflow(whole, *whole_origin_, &since)) return std::nullopt;
  if (__builtin_mul_overflow(since, unit_ns_, &ns)) return std::nullopt;
  return ns;
}

std::optional<int64_t> ArrivalTimes::of_text(std::string_view text) {
  auto ns = decimal_ns(text, unit_ns_);
  if (!ns) ns = date_time_ns(text);
  if (!ns) return std::nullopt;
  if (!text_origin_ns_) text_origin_ns_ = ns;
  return *ns - *text_origin_ns_;
}

std::optional<int64_t> ArrivalTimes::at_ns(const tkm::Json& timestamp) {
  if (timestamp.IsString()) return of_text(tkm::text_of(timestamp));
  if (!timestamp.IsNumber()) return std::nullopt;
  const auto whole = tkm::int_of(timestamp);
  if (!origin_) origin_ = timestamp.GetDouble(), whole_origin_ = whole;
  if (whole && whole_origin_) return since_origin(*whole);
  const double ns = (timestamp.GetDouble() - *origin_) * static_cast<double>(unit_ns_);
  if (!(std::abs(ns) < 9e18)) return std::nullopt;
  return std::llround(ns);
}

}  // namespace standard

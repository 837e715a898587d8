#include "engine/sweep.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace tokometer {
namespace {

constexpr int kOverEndsSweep = 2;  // points in a row
constexpr int64_t kConfirmLonger = 3;
constexpr int kDigits = 4;  // of chosen values: what people can read and copy

std::string text_of(double value, int digits) {
  std::array<char, 64> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, digits);
  return {text.data(), end.ptr};
}

double rounded(double value) {
  const std::string text = text_of(value, kDigits);
  double number = value;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string shortest(double value) {
  std::array<char, 64> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace

SweepPlanner::SweepPlanner(const RunFile::Sweep& sweep, std::string pattern, bool whole)
    : sweep_(sweep), pattern_(std::move(pattern)), whole_(whole) {
  const int64_t duration_ns = sweep_.point.duration_ns.value_or(0);
  for (const RunFile::Sweep::Value& item : sweep_.values) {
    if (item.pattern == "synchronous") {
      closed(SweepPoint::Load::synchronous);
    } else if (item.pattern == "throughput") {
      closed(SweepPoint::Load::throughput);
    } else {
      value(item.number, duration_ns);
    }
  }
  if (sweep_.method == RunFile::Sweep::Method::list) return;
  if (sweep_.between) {
    std::tie(low_, high_) = *sweep_.between;
    chosen_ = true;
    return;
  }
  closed(SweepPoint::Load::synchronous);
  closed(SweepPoint::Load::throughput);
}

uint64_t SweepPlanner::planned() const {
  if (sweep_.method == RunFile::Sweep::Method::list) return sweep_.values.size();
  return sweep_.method == RunFile::Sweep::Method::even ? sweep_.points : 0;
}

std::string SweepPlanner::unique_name(const std::string& wanted) {
  std::string name = wanted;
  for (int n = 2; !names_.insert(name).second; ++n) name = wanted + "-" + std::to_string(n);
  return name;
}

void SweepPlanner::closed(SweepPoint::Load load) {
  const char* word = load == SweepPoint::Load::synchronous ? "synchronous" : "throughput";
  queue_.push_back({unique_name(word), load, std::nullopt, sweep_.point.duration_ns.value_or(0)});
}

void SweepPlanner::value(double number, int64_t duration_ns) {
  queue_.push_back(
      {unique_name(pattern_ + "@" + shortest(number)), SweepPoint::Load::run_file, number, duration_ns});
}

std::optional<SweepPoint> SweepPlanner::next() {
  if (stopped_) return std::nullopt;
  if (queue_.empty() && sweep_.method == RunFile::Sweep::Method::even) choose_even();
  if (queue_.empty() && sweep_.method == RunFile::Sweep::Method::bisect) choose_bisect();
  if (queue_.empty()) return std::nullopt;
  current_ = std::move(queue_.front());
  queue_.pop_front();
  return current_;
}

void SweepPlanner::ended(const PointResult& result) {
  if (current_->load == SweepPoint::Load::synchronous) synchronous_per_s_ = result.completed_per_s;
  if (current_->load == SweepPoint::Load::throughput) throughput_per_s_ = result.completed_per_s;
  if (sweep_.method == RunFile::Sweep::Method::bisect) {
    if (!current_->value) return;
    if (result.gates_hold && !result.over) {
      held_.insert(*current_->value);
      if (confirming_) stopped_ = true;
    } else {
      fails_ = *current_->value;
      held_.erase(held_.lower_bound(*fails_), held_.end());
      confirming_ = false;
    }
    return;
  }
  over_in_a_row_ = result.over ? over_in_a_row_ + 1 : 0;
  if (sweep_.stop == RunFile::Sweep::Stop::saturated && over_in_a_row_ >= kOverEndsSweep) stopped_ = true;
}

// Equal steps from the first rate, excluded, to the second, included.
void SweepPlanner::choose_even() {
  if (std::exchange(chosen_, true)) return;
  if (throughput_per_s_ <= 0) {
    fault_ =
        "no request was completed in the window of the point \"throughput\": there are no rates to choose "
        "from";
    return;
  }
  const double from = synchronous_per_s_ < throughput_per_s_ ? synchronous_per_s_ : 0;
  const uint64_t steps = sweep_.points - 2;
  for (uint64_t i = 1; i <= steps; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(steps);
    value(rounded(from + (throughput_per_s_ - from) * share), sweep_.point.duration_ns.value_or(0));
  }
}

void SweepPlanner::choose_bisect() {
  constexpr double kLowestShare = 0.1;  // of the saturated rate, where one user at a time says nothing
  const int64_t duration_ns = sweep_.point.duration_ns.value_or(0);
  if (!std::exchange(chosen_, true)) {
    if (throughput_per_s_ <= 0) {
      fault_ =
          "no request was completed in the window of the point \"throughput\": there are no rates to choose "
          "from";
      return;
    }
    high_ = rounded(throughput_per_s_);
    const bool is_lower = synchronous_per_s_ > 0 && synchronous_per_s_ < throughput_per_s_;
    low_ = rounded(is_lower ? synchronous_per_s_ : kLowestShare * throughput_per_s_);
  }
  if (held_.empty()) {
    if (!fails_) value(low_, duration_ns);
    return;  // else even the lowest fails
  }
  const double holds = *held_.rbegin();
  if (!fails_) return holds < high_ ? value(high_, duration_ns) : confirm();
  const auto middle = between(holds, *fails_);
  if (!middle) return confirm();
  value(*middle, duration_ns);
}

void SweepPlanner::confirm() {
  confirming_ = true;
  value(*held_.rbegin(), kConfirmLonger * sweep_.point.duration_ns.value_or(0));
}

// The next value to try; nothing: the two are close enough.
std::optional<double> SweepPlanner::between(double low, double high) const {
  if (high - low <= sweep_.within * high) return std::nullopt;
  const double middle = whole_ ? std::floor((low + high) / 2) : rounded((low + high) / 2);
  if (middle <= low || middle >= high) return std::nullopt;
  return middle;
}

}  // namespace tokometer

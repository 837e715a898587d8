// Values of one kind, kept as they are; at the end their exact percentiles (nearest rank) as a JSON object.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace tokometer::bench {

class Samples {
 public:
  void reserve(size_t count) { values_.reserve(count); }
  void add(int64_t value) { values_.push_back(value); }

  // {"n":4,"mean":2.5,"p50":2,"p90":4,"p99":4,"p999":4,"max":4}; without values {"n":0}
  std::string json() {
    if (values_.empty()) return R"({"n":0})";
    std::sort(values_.begin(), values_.end());
    double sum = 0;
    for (const int64_t value : values_) sum += static_cast<double>(value);
    std::string out = "{\"n\":" + std::to_string(values_.size());
    out += ",\"mean\":" + std::to_string(sum / static_cast<double>(values_.size()));
    out += ",\"p50\":" + std::to_string(at(0.5)) + ",\"p90\":" + std::to_string(at(0.9));
    out += ",\"p99\":" + std::to_string(at(0.99)) + ",\"p999\":" + std::to_string(at(0.999));
    return out + ",\"max\":" + std::to_string(values_.back()) + "}";
  }

 private:
  int64_t at(double share) const {
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values_.size())));
    return values_[std::max<size_t>(rank, 1) - 1];
  }

  std::vector<int64_t> values_;
};

}  // namespace tokometer::bench

#include "metrics/catalogue.hpp"

namespace tokometer {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kAliases{
    {{"ttft", "ttft_sched"}, {"ttfa", "ttfa_sched"}, {"e2e", "e2e_sched"}, {"ntpot", "ntpot_sched"}}};

template <size_t N>
const MetricInfo* find_in(const std::array<MetricInfo, N>& table, std::string_view id) {
  for (const MetricInfo& info : table) {
    if (info.id == id) return &info;
  }
  return nullptr;
}

}  // namespace

const MetricInfo* find_distribution_info(std::string_view id) {
  return find_in(kDistributions, id);
}

const MetricInfo* find_scalar_info(std::string_view id) {
  const MetricInfo* info = find_in(kScalars, id);
  return info != nullptr ? info : find_in(kWholeScalars, id);
}

std::string_view full_metric_id(std::string_view id) {
  for (const auto& [alias, full] : kAliases) {
    if (alias == id) return full;
  }
  return id;
}

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const auto& alias : kAliases) names.emplace_back(alias.first);
  for (const MetricInfo& info : kDistributions) names.emplace_back(info.id);
  for (const MetricInfo& info : kScalars) names.emplace_back(info.id);
  for (const MetricInfo& info : kWholeScalars) names.emplace_back(info.id);
  return names;
}

}  // namespace tokometer

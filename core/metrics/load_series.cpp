#include "metrics/load_series.hpp"

#include <algorithm>

namespace tokometer {
namespace {

constexpr size_t kMostBins = 10'000'000;  // 23 days; a later instant is damage, not load

}  // namespace

LoadSeries::Bin* LoadSeries::bin_at(int64_t at_ns) {
  const auto bin = static_cast<size_t>(std::max<int64_t>(at_ns - begin_ns_, 0) / kBinNs);
  if (bin >= kMostBins) return nullptr;
  if (bin >= bins_.size()) bins_.resize(bin + 1);
  return &bins_[bin];
}

void LoadSeries::add(const RequestRecord& r, const std::vector<TokenEvent>& events) {
  // Not the failed: a few that hang until their time-out would look like a backlog, and V12 judges them.
  if (r.status != Status::failed && r.sent_ns != kAbsent && r.end_ns != kAbsent)
    add_in_flight(r.sent_ns, r.end_ns);
  if (r.status != Status::ok) return;
  if (r.first_token_ns != kAbsent && r.scheduled_ns != kAbsent) {
    if (Bin* bin = bin_at(r.scheduled_ns)) {
      bin->ttft_sum += static_cast<double>(r.first_token_ns - r.scheduled_ns);
      ++bin->ttft_count;
    }
  }
  add_tokens(r, events);
}

void LoadSeries::add_tokens(const RequestRecord& r, const std::vector<TokenEvent>& events) {
  if (events.empty() || r.first_token_ns == kAbsent) {
    const int64_t at = r.last_token_ns != kAbsent ? r.last_token_ns : r.end_ns;
    const int64_t tokens = output_tokens_of(r);
    if (at == kAbsent || tokens == kAbsent) return;
    if (Bin* bin = bin_at(at)) bin->tokens += static_cast<double>(tokens);
    return;
  }
  for (const TokenEvent& event : events) {
    if (Bin* bin = bin_at(r.first_token_ns + event.at_us * 1000)) bin->tokens += event.tokens;
  }
}

void LoadSeries::add_in_flight(int64_t from_ns, int64_t to_ns) {
  if (bin_at(to_ns) == nullptr) return;  // makes the bins
  const int64_t from = std::max<int64_t>(from_ns - begin_ns_, 0), to = std::max(to_ns - begin_ns_, from);
  const auto first = static_cast<size_t>(from / kBinNs), last = static_cast<size_t>(to / kBinNs);
  const auto bins = static_cast<double>(kBinNs);
  if (first == last) {
    bins_[first].part += static_cast<double>(to - from) / bins;
    return;
  }
  bins_[first].part += 1 - static_cast<double>(from % kBinNs) / bins;
  bins_[last].part += static_cast<double>(to % kBinNs) / bins;
  bins_[first + 1].whole += 1;
  bins_[last].whole -= 1;
}

size_t LoadSeries::whole_batches(int64_t until_ns) const {
  return static_cast<size_t>(std::max<int64_t>(until_ns - begin_ns_, 0) /
                             (kBinNs * static_cast<int64_t>(kBatch)));
}

std::vector<double> LoadSeries::in_flight_bins(int64_t until_ns) const {
  std::vector<double> means(static_cast<size_t>(std::max<int64_t>(until_ns - begin_ns_, 0) / kBinNs), 0);
  double covering = 0;
  for (size_t i = 0; i < std::min(bins_.size(), means.size()); ++i) {
    covering += bins_[i].whole;
    means[i] = covering + bins_[i].part;
  }
  return means;
}

std::vector<double> LoadSeries::in_flight(int64_t until_ns) const {
  const std::vector<double> bins = in_flight_bins(until_ns);
  std::vector<double> means(whole_batches(until_ns), 0);
  for (size_t i = 0; i < means.size() * kBatch; ++i) {
    means[i / kBatch] += bins[i] / static_cast<double>(kBatch);
  }
  return means;
}

std::vector<double> LoadSeries::ttft(int64_t until_ns) const {
  std::vector<double> means;
  size_t empty_head = 0;
  for (size_t batch = 0; batch < whole_batches(until_ns); ++batch) {
    double sum = 0, n = 0;
    for (size_t i = batch * kBatch; i < std::min((batch + 1) * kBatch, bins_.size()); ++i) {
      sum += bins_[i].ttft_sum;
      n += bins_[i].ttft_count;
    }
    if (n == 0 && means.size() == empty_head) ++empty_head;
    means.push_back(n > 0 ? sum / n : means.empty() ? 0 : means.back());
  }
  if (empty_head < means.size()) std::fill_n(means.begin(), empty_head, means[empty_head]);
  return means;
}

std::vector<double> LoadSeries::tokens(int64_t until_ns) const {
  std::vector<double> sums(whole_batches(until_ns), 0);
  for (size_t i = 0; i < bins_.size() && i / kBatch < sums.size(); ++i) sums[i / kBatch] += bins_[i].tokens;
  return sums;
}

}  // namespace tokometer

// The numbers of /metrics under vLLM's names, consistent with what was really sent. Counters and fixed-bucket
// histograms; adding allocates nothing. Single thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tokometer::sim {

class Buckets {
 public:
  explicit Buckets(std::span<const double> edges)
      : edges_(edges.begin(), edges.end()), counts_(edges.size() + 1) {}
  void add(double value);
  double sum() const { return sum_; }
  uint64_t count() const { return count_; }
  // Prometheus text, cumulative, with the labels in front of le.
  void render(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  std::vector<double> edges_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
  uint64_t count_ = 0;
};

struct Metrics {
  struct Gauges {
    uint64_t running = 0, waiting = 0, preemptions = 0;
    double kv_usage = 0;
  };
  struct Finished {  // times in seconds
    double e2e, queue, prefill, decode;
    uint64_t prompt, output, choices, asked;
    std::string_view reason;
  };

  Metrics();
  void finished(const Finished& request);
  std::string render(std::string_view model, const Gauges& gauges) const;

  uint64_t prompt_tokens = 0, cached_tokens = 0, generation_tokens = 0;
  uint64_t prefix_queries = 0, prefix_hits = 0, rejected = 0;
  Buckets ttft, itl, iteration_tokens;
  std::map<std::string, uint64_t> http;  // by handler, method and status class: the labels as text

 private:
  Buckets e2e_, queue_, inference_, prefill_, decode_, tpot_;
  Buckets prompt_, output_, max_output_, n_, asked_;
  std::map<std::string, uint64_t, std::less<>> success_;
};

}  // namespace tokometer::sim

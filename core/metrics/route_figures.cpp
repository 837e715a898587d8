#include "metrics/route_figures.hpp"

namespace tokometer {

void RouteFigures::Pool::add(int64_t ns) {
  histogram.record(ns);
  sum += static_cast<double>(ns);
}

RouteSummary::Figure RouteFigures::Pool::figure() const {
  RouteSummary::Figure figure;
  figure.count = histogram.count();
  if (figure.count == 0) return figure;
  figure.mean = sum / static_cast<double>(figure.count);
  figure.p50 = *histogram.percentile(500);
  figure.p99 = *histogram.percentile(990);
  return figure;
}

void RouteFigures::add(const RequestRecord& r, int64_t tokens, int64_t tpot_ns) {
  if (r.status == Status::not_issued) return;  // it may not have been told where to go
  Route& route = routes_[{r.model, r.adapter}];
  Counts& counts = route.counts;
  ++counts.issued;
  counts.ok += r.status == Status::ok;
  counts.failed += r.status == Status::failed;
  counts.cancelled += r.status == Status::cancelled;
  if (r.status != Status::ok) return;
  if (r.prompt_tokens != kAbsent) route.input_tokens += r.prompt_tokens;
  if (tokens != kAbsent) route.output_tokens += tokens;
  if (r.first_token_ns != kAbsent) route.ttft.add(r.first_token_ns - r.scheduled_ns);
  if (tpot_ns != kAbsent) route.tpot.add(tpot_ns);
  if (r.end_ns != kAbsent) route.e2e.add(r.end_ns - r.scheduled_ns);
}

std::vector<RouteSummary> RouteFigures::rows() const {
  std::vector<RouteSummary> rows;
  if (routes_.size() < 2) return rows;
  for (const auto& [name, route] : routes_) {
    rows.push_back({.model = name.first,
                    .adapter = name.second,
                    .counts = route.counts,
                    .input_tokens = route.input_tokens,
                    .output_tokens = route.output_tokens,
                    .ttft = route.ttft.figure(),
                    .tpot = route.tpot.figure(),
                    .e2e = route.e2e.figure()});
  }
  return rows;
}

}  // namespace tokometer

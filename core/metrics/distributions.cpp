#include "metrics/distributions.hpp"

#include <algorithm>
#include <cmath>

#include "metrics/catalogue.hpp"
#include "metrics/statistics.hpp"

namespace tokometer {
namespace {

using Getter = int64_t (RequestRows::*)(size_t) const;

struct RowMetric {
  std::string_view id;
  Getter value;
  Getter age = nullptr;  // for adjusted percentiles: how long a request lasted, on this metric's basis
  bool all = false;      // over every request of the window that has a value, not only the ok ones
  bool always = false;   // listed even when it has no value
};

// In the order of the catalogue.
const RowMetric kRowMetrics[] = {
    {"ttft_sched", &RequestRows::ttft_sched, &RequestRows::e2e_sched},
    {"ttft_sent", &RequestRows::ttft_sent, &RequestRows::e2e_sent},
    {"ttfa_sched", &RequestRows::ttfa_sched},
    {"ttfa_sent", &RequestRows::ttfa_sent},
    {"e2e_sched", &RequestRows::e2e_sched, &RequestRows::e2e_sched},
    {"e2e_sent", &RequestRows::e2e_sent, &RequestRows::e2e_sent},
    {"tpot", &RequestRows::tpot},
    {"ntpot_sched", &RequestRows::ntpot_sched},
    {"ntpot_sent", &RequestRows::ntpot_sent},
    {"longest_gap", &RequestRows::longest_gap},
    {"first_event_sent", &RequestRows::first_event_sent},
    {"first_byte_sent", &RequestRows::first_byte_sent},
    {"connect", &RequestRows::connect, nullptr, true},
    {"hold", &RequestRows::hold, nullptr, true, true},
    {"send_lag", &RequestRows::send_lag, nullptr, true, true},
    {"schedule_lag", &RequestRows::schedule_lag, nullptr, true, true},
    {"own_lag", &RequestRows::own_lag, nullptr, true, true},
};

Distribution named(std::string_view id) {
  const MetricInfo* info = find_distribution_info(id);
  Distribution d;
  d.id = info->id, d.unit = info->unit, d.definition = info->definition;
  return d;
}

// 4 bytes a row: the row numbers of the window's requests, by S and then by line.
std::vector<uint32_t> window_rows_in_s_order(const RequestRows& rows) {
  std::vector<uint32_t> order;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (rows.in_window(row)) order.push_back(static_cast<uint32_t>(row));
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int64_t s_a = rows.s_ns(a), s_b = rows.s_ns(b);
    return s_a != s_b ? s_a < s_b : a < b;
  });
  return order;
}

// `values` come in S order and are sorted here. Times fit a double exactly (2^53 ns are 104 days).
void fill(Distribution& d, std::vector<double>& values) {
  d.count = values.size();
  if (values.empty()) return;
  d.mean = mean_of(values);
  d.stddev = stddev_of(values, d.mean);
  const std::vector<double> in_s_order = values;
  std::sort(values.begin(), values.end());
  d.min = values.front();
  d.max = values.back();
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    d.percentiles[i] = values[nearest_rank(kPercentiles[i].per_mille, values.size()) - 1];
    d.n_eff[i] = effective_trials(in_s_order, d.percentiles[i]);
    const auto ranks = percentile_ranks(values.size(), d.n_eff[i], kPercentiles[i].per_mille);
    if (ranks) d.ci95[i] = {values[ranks->first - 1], values[ranks->second - 1]};
  }
}

Distribution from_rows(const RequestRows& rows, const std::vector<uint32_t>& order, const RowMetric& metric) {
  Distribution d = named(metric.id);
  std::vector<double> values, at_least, known;  // known: of requests that were cancelled later
  uint64_t infinite = 0;
  for (const uint32_t row : order) {
    const int64_t value = (rows.*metric.value)(row);
    if (rows.ok(row) || metric.all) {
      if (value != kAbsent) values.push_back(static_cast<double>(value));
    } else if (metric.age != nullptr) {
      const int64_t age = (rows.*metric.age)(row);
      if (rows.status(row) == Status::cancelled && value != kAbsent && metric.value != metric.age)
        known.push_back(static_cast<double>(value));
      else if (rows.censored(row) && age != kAbsent)
        at_least.push_back(static_cast<double>(age));
      else
        ++infinite;
    }
  }
  fill(d, values);
  if (infinite + at_least.size() + known.size() == 0) return d;
  const auto middle = values.insert(values.end(), known.begin(), known.end());
  std::sort(middle, values.end());
  std::inplace_merge(values.begin(), middle, values.end());
  adjust(d, values, std::move(at_least), infinite);
  return d;
}

// A rate per second made of a time; its bad tail is the low one.
Distribution user_rate(const RequestRows& rows, const std::vector<uint32_t>& order, std::string_view id,
                       bool from_schedule) {
  Distribution d = named(id);
  d.integer = false;
  std::vector<double> values;
  for (const uint32_t row : order) {
    if (!rows.ok(row)) continue;
    const int64_t time = from_schedule ? rows.e2e_sched(row) : rows.tpot(row);
    const int64_t tokens = from_schedule ? rows.tokens(row) : 1;
    if (time != kAbsent && time > 0 && tokens != kAbsent && tokens > 0) {
      values.push_back(static_cast<double>(tokens) * 1e9 / static_cast<double>(time));
    }
  }
  fill(d, values);
  return d;
}

void fill_from_histogram(Distribution& d, const Histogram& histogram) {
  d.pooled = true;
  d.count = histogram.count();
  for (size_t i = 0; i < kPercentiles.size() && d.count != 0; ++i) {
    d.percentiles[i] = static_cast<double>(*histogram.percentile(kPercentiles[i].per_mille));
  }
}

// The window's twentieths that hold gaps: one value each.
void fill_batch_intervals(Distribution& d, const PhaseFigures& figures) {
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    std::vector<double> batches;
    for (const auto& part : figures.itl_parts) {
      if (part) batches.push_back(static_cast<double>(*part->percentile(kPercentiles[i].per_mille)));
    }
    if (batches.size() == kWindowBatches) d.ci95[i] = batch_interval(batches);
  }
}

Distribution from_gaps(std::string_view id, const GapPool& pool) {
  Distribution d = named(id);
  fill_from_histogram(d, pool.histogram);
  if (d.count == 0) return d;
  const auto n = static_cast<double>(d.count);
  d.mean = pool.sum / n;
  d.stddev = d.count < 2 ? 0 : std::sqrt(std::max(0.0, (pool.squares - n * d.mean * d.mean) / (n - 1)));
  d.min = static_cast<double>(pool.min);
  d.max = static_cast<double>(pool.max);
  for (double& value : d.percentiles) value = std::clamp(value, d.min, d.max);  // a bucket may reach beyond
  return d;
}

Distribution client_lag(const Histogram& histogram) {
  Distribution d = named("client_lag");
  fill_from_histogram(d, histogram);
  double sum = 0, squares = 0;
  bool first = true;
  histogram.for_each([&](uint32_t index, uint64_t n) {
    const auto value = static_cast<double>(Histogram::midpoint_ns(index));
    sum += value * static_cast<double>(n);
    squares += value * value * static_cast<double>(n);
    if (first) d.min = value;
    first = false;
    d.max = value;
  });
  if (d.count == 0) return d;
  const auto n = static_cast<double>(d.count);
  d.mean = sum / n;
  d.stddev = d.count < 2 ? 0 : std::sqrt(std::max(0.0, (squares - sum * sum / n) / (n - 1)));
  return d;
}

}  // namespace

namespace {

// The value of this rank (from 1) in the union of two sorted lists.
double ranked(const std::vector<double>& many, const std::vector<double>& few, uint64_t rank) {
  size_t low = 0, high = few.size();  // how many of `few` stand before the rank
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const auto below =
        static_cast<size_t>(std::upper_bound(many.begin(), many.end(), few[middle]) - many.begin());
    if (below + middle + 1 <= rank)
      low = middle + 1;
    else
      high = middle;
  }
  const size_t from_many = rank - low;
  if (from_many == 0) return few[low - 1];
  return low == 0 ? many[from_many - 1] : std::max(few[low - 1], many[from_many - 1]);
}

}  // namespace

void adjust(Distribution& d, const std::vector<double>& ok, std::vector<double> at_least, uint64_t infinite) {
  std::sort(at_least.begin(), at_least.end());
  const uint64_t finite = ok.size() + at_least.size(), all = finite + infinite;
  const auto value_at = [&](uint64_t rank) -> Adjusted {
    if (rank > finite) return {Adjusted::Kind::infinite, 0};
    const double value = ranked(ok, at_least, rank);
    // With the censored requests at their ages this rank holds `value`; with them infinitely slow it holds
    // ok[rank]. The truth lies between: it is known where the two are equal.
    const bool exact = rank <= ok.size() && ok[rank - 1] == value;
    return {exact ? Adjusted::Kind::value : Adjusted::Kind::at_least, value};
  };
  d.adjusted_count = all;
  d.adjusted.emplace();
  for (size_t i = 0; i < kPercentiles.size(); ++i) {
    (*d.adjusted)[i] = value_at(nearest_rank(kPercentiles[i].per_mille, all));
  }
  d.adjusted_max = value_at(all);
}

namespace {

Histogram histogram_of(const RequestRows& rows, const std::vector<uint32_t>& order, const RowMetric& metric) {
  Histogram histogram;
  for (const uint32_t row : order) {
    const int64_t value = (rows.*metric.value)(row);
    if (value != kAbsent && (rows.ok(row) || metric.all)) histogram.record(value);
  }
  return histogram;
}

void add_row_metrics(const RequestRows& rows, const std::vector<uint32_t>& order, PhaseSummary& summary) {
  for (const RowMetric& metric : kRowMetrics) {
    Distribution d = from_rows(rows, order, metric);
    if (d.count != 0) summary.histograms.emplace_back(d.id, histogram_of(rows, order, metric));
    if (d.count != 0 || metric.always || d.adjusted) summary.metrics.push_back(std::move(d));
  }
}

void add_pooled(PhaseFigures& figures, PhaseSummary& summary) {
  Distribution itl = from_gaps("itl", figures.itl);
  if (itl.count != 0) {
    fill_batch_intervals(itl, figures);
    summary.metrics.push_back(std::move(itl));
    summary.metrics.push_back(from_gaps("itl_per_token", figures.itl_per_token));
    summary.histograms.emplace_back("itl", std::move(figures.itl.histogram));
    summary.histograms.emplace_back("itl_per_token", std::move(figures.itl_per_token.histogram));
  }
  summary.metrics.push_back(client_lag(figures.client.lag));
  if (figures.client.lag.count() != 0)
    summary.histograms.emplace_back("client_lag", std::move(figures.client.lag));
}

}  // namespace

void add_distributions(PhaseFigures& figures, PhaseSummary& summary) {
  const std::vector<uint32_t> order = window_rows_in_s_order(figures.rows);
  add_row_metrics(figures.rows, order, summary);
  add_pooled(figures, summary);
  for (const bool from_schedule : {false, true}) {
    Distribution d = user_rate(
        figures.rows, order, from_schedule ? "user_tokens_per_s_sched" : "user_tokens_per_s", from_schedule);
    if (d.count != 0) summary.metrics.push_back(std::move(d));
  }
  const auto place = [](std::string_view id) { return find_distribution_info(id); };  // the catalogue's order
  std::sort(summary.metrics.begin(), summary.metrics.end(),
            [&](const auto& a, const auto& b) { return place(a.id) < place(b.id); });
  std::sort(summary.histograms.begin(), summary.histograms.end(),
            [&](const auto& a, const auto& b) { return place(a.first) < place(b.first); });
}

namespace {

SessionFigures::Turn turn_figures(const RequestRows& rows, const std::vector<uint32_t>& of_turn) {
  SessionFigures::Turn turn;
  turn.planned = of_turn.size();
  turn.ok = static_cast<uint64_t>(
      std::count_if(of_turn.begin(), of_turn.end(), [&](uint32_t row) { return rows.ok(row); }));
  for (const RowMetric& metric : kRowMetrics) {
    const bool shown = metric.id.starts_with("ttft_") || metric.id.starts_with("e2e_");
    if (!shown) continue;
    Distribution d = from_rows(rows, of_turn, metric);
    if (d.count != 0) turn.metrics.push_back(std::move(d));
  }
  return turn;
}

}  // namespace

void add_turns(const PhaseFigures& f, PhaseSummary& summary) {
  if (f.sessions == 0) return;
  SessionFigures& sessions = summary.sessions.emplace();
  sessions.planned = f.sessions;
  sessions.completed = f.sessions_completed;
  std::vector<std::vector<uint32_t>> by_turn;
  for (const uint32_t row : window_rows_in_s_order(f.rows)) {
    if (f.rows.turn(row) == kAbsent) continue;
    const auto turn = std::min(static_cast<size_t>(f.rows.turn(row)), SessionFigures::kMostTurns - 1);
    if (turn >= by_turn.size()) by_turn.resize(turn + 1);
    by_turn[turn].push_back(row);
    sessions.started += turn == 0;
  }
  const int64_t window_ns = f.scan.w1_ns - f.scan.w0_ns;
  if (window_ns > 0)
    sessions.started_per_s = static_cast<double>(sessions.started) * 1e9 / static_cast<double>(window_ns);
  for (size_t turn = 0; turn < by_turn.size(); ++turn) {
    if (by_turn[turn].empty()) continue;
    sessions.turns.push_back(turn_figures(f.rows, by_turn[turn]));
    sessions.turns.back().turn = turn;
  }
}

}  // namespace tokometer

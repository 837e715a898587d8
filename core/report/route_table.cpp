// Part of the table: a row for each model or adapter that requests of the phase went to.
#include <algorithm>

#include "base/text.hpp"
#include "metrics/number_text.hpp"
#include "report/styles.hpp"
#include "report/text_table.hpp"

namespace tokometer {
namespace {

constexpr size_t kNameWidth = 28;

// The part that tells it from the others: all adapters are of some model.
std::string name_of(const RouteSummary& route) {
  const std::string& name = route.adapter.empty() ? route.model : route.adapter;
  return escape_terminal(name.substr(name.rfind('/') + 1), kNameWidth);
}

std::string ms(const RouteSummary::Figure& figure, double ns) {
  return figure.count == 0 ? "n/a" : fixed(ns / 1e6, figure.p50 >= 100'000'000 ? 1 : 2);
}

bool has_any(const std::vector<RouteSummary>& routes, RouteSummary::Figure RouteSummary::*figure) {
  return std::any_of(routes.begin(), routes.end(),
                     [&](const auto& route) { return (route.*figure).count > 0; });
}

}  // namespace

std::string route_table(const PhaseSummary& phase) {
  const std::pair<const char*, RouteSummary::Figure RouteSummary::*> all[] = {
      {"TTFT", &RouteSummary::ttft}, {"TPOT", &RouteSummary::tpot}, {"E2E", &RouteSummary::e2e}};
  constexpr size_t kIssuedEnd = 40, kOkEnd = 48, kFirstEnd = 60, kColumn = 9;
  if (phase.routes.empty()) return {};
  Line head("By model, ms");
  head.right("issued", kIssuedEnd).right("ok", kOkEnd);
  size_t end = kFirstEnd;
  for (const auto& [title, figure] : all) {
    if (!has_any(phase.routes, figure)) continue;
    head.right(std::string(title) + " p50", end).right("p99", end + kColumn);
    end += 2 * kColumn;
  }
  std::string text = std::move(head.right("out tok/s", end + 1)).end();
  const double window_s = static_cast<double>(phase.w1_ns - phase.w0_ns) / 1e9;
  for (const RouteSummary& route : phase.routes) {
    Line line("  " + name_of(route));
    line.right(std::to_string(route.counts.issued), kIssuedEnd)
        .right(std::to_string(route.counts.ok), kOkEnd);
    end = kFirstEnd;
    for (const auto& [title, member] : all) {
      if (!has_any(phase.routes, member)) continue;
      const RouteSummary::Figure& figure = route.*member;
      line.right(ms(figure, static_cast<double>(figure.p50)), end);
      line.right(ms(figure, static_cast<double>(figure.p99)), end + kColumn);
      end += 2 * kColumn;
    }
    const double rate = window_s > 0 ? static_cast<double>(route.output_tokens) / window_s : 0;
    text += std::move(line.right(fixed(rate, rate >= 100 ? 0 : 1), end + 1)).end();
  }
  return text;
}

}  // namespace tokometer

#include "cli/metrics_pages.hpp"

#include <cstdint>

#include "engine/server_probe.hpp"

namespace tokometer {
namespace {

constexpr int64_t kPageTimeoutNs = 5'000'000'000;

bool has_metric(const std::string& page, const std::string& metric) {
  for (size_t at = page.find(metric); at != std::string::npos; at = page.find(metric, at + 1)) {
    const bool starts_line = at == 0 || page[at - 1] == '\n';
    const size_t end = at + metric.size();
    if (starts_line && end < page.size() && (page[end] == '{' || page[end] == ' ')) return true;
  }
  return false;
}

}  // namespace

Result<Answer> MetricsPages::fetch_page(const Url& url, const std::string& path) const {
  auto proxy = find_proxy(target_, url);
  if (!proxy) return proxy.errors();
  return fetch({.url = url,
                .proxy = *proxy,
                .path = path,
                .timeout_ns = kPageTimeoutNs,
                .http2 = target_.connections.http2,
                .tls = tls_});
}

PageFacts MetricsPages::look(const Url& server, const Profile& profile, const MetricsPage& page) {
  const Url url = page_url(server, profile, page);
  const std::string name = url.text() + page.path;
  auto found = texts_.find(name);
  if (found == texts_.end()) found = texts_.emplace(name, fetch_page(url, page.path)).first;
  PageFacts facts{.url = name, .fault = {}, .known = 0, .asked = page.quantities.size()};
  const Result<Answer>& answer = found->second;
  if (!answer) return facts.fault = answer.error().message, facts;
  if (answer->status != 200) return facts.fault = "HTTP " + std::to_string(answer->status), facts;
  for (const Quantity& quantity : page.quantities) {
    for (const Candidate& candidate : quantity.candidates) {
      if (!has_metric(answer->body, candidate.metric)) continue;
      ++facts.known;
      break;
    }
  }
  return facts;
}

}  // namespace tokometer

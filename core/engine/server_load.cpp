#include "engine/server_load.hpp"

#include <algorithm>

#include "engine/server_probe.hpp"
#include "engine/workload_parts.hpp"
#include "net/fetch.hpp"
#include "telemetry/metrics_text.hpp"

namespace tokometer {
namespace {

constexpr int64_t kPageTimeoutNs = 5'000'000'000;

bool tells_load(const Quantity& quantity) {
  return quantity.name == "queue_size" || quantity.name == "batch_size";
}

Result<Answer> fetch_page(const RunFile& file, const Preflight& found, const TargetServer& server,
                          const MetricsPage& page) {
  const bool is_grpc = found.profile.is_grpc();
  FetchRequest request{.url = page_url(server.url, found.profile, page),
                       .proxy = server.proxy,
                       .path = page.path,
                       .timeout_ns = kPageTimeoutNs,
                       .http2 = file.target.connections.http2,
                       .tls = found.tls};
  if (page.port.empty()) request.headers = target_headers(file, found.profile);
  if (found.tls != nullptr && is_grpc) {  // its own is for HTTP/2
    auto tls = make_tls(file.target, file.target.connections.http2);
    if (!tls) return tls.errors();
    request.tls = *tls;
  }
  return fetch(request);
}

}  // namespace

std::optional<double> requests_at_servers(const RunFile& file, const Preflight& found) {
  std::optional<double> requests;
  for (const MetricsPage& page : found.profile.telemetry) {
    if (std::none_of(page.quantities.begin(), page.quantities.end(), tells_load)) continue;
    for (const TargetServer& server : found.servers) {
      const auto answer = fetch_page(file, found, server, page);
      if (!answer || answer->status != 200) continue;
      for (const Quantity& quantity : page.quantities) {
        const auto value = tells_load(quantity) ? read_quantity(answer->body, quantity) : std::nullopt;
        if (value) requests = requests.value_or(0) + *value;
      }
    }
  }
  return requests;
}

}  // namespace tokometer

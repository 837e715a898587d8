#include "engine/server_probe.hpp"

#include "net/grpc.hpp"

namespace tokometer {
namespace {

Answer grpc_answer(Answer answer) {
  answer.status = answer.grpc_status;
  answer.body.resize(answer.message_ends.empty() ? 0 : answer.message_ends.front());
  if (answer.status != 0) answer.body = answer.grpc_message;
  return answer;
}

}  // namespace

bool needs_http2(const RunFile& file, const Profile& profile) {
  return file.target.connections.http2 || profile.is_grpc();
}

std::vector<std::pair<std::string, std::string>> target_headers(const RunFile& file, const Profile& profile) {
  auto headers = file.target.headers;
  if (!file.target.api_key.empty()) {
    headers.emplace_back(profile.auth.header, profile.auth.prefix + file.target.api_key.reveal());
  }
  return headers;
}

Result<std::shared_ptr<const Proxy>> find_proxy(const RunFile::Target& target, const Url& server) {
  const RunFile::Proxies& proxies = target.proxies;
  const RunFile::Proxy& proxy = server.tls ? proxies.https : proxies.http;
  if (proxy.url.empty() || !server.socket_path.empty() || is_exempt(proxies.exempt, server))
    return std::shared_ptr<const Proxy>();
  auto url = parse_url(proxy.url, 0);
  if (!url) return url.errors();
  const std::string& credentials = proxy.credentials.reveal();
  return std::make_shared<const Proxy>(
      Proxy{std::move(*url), credentials.empty() ? "" : basic_authorization(credentials)});
}

Result<TargetServer> find_server(const RunFile::Target& target, const Url& url, bool http2) {
  auto proxy = find_proxy(target, url);
  if (!proxy) return proxy.errors();
  TargetServer server{.url = url, .authority = url.authority(), .endpoints = {}, .proxy = *proxy};
  if (server.proxy != nullptr && !needs_tunnel(url, http2)) server.origin = "http://" + server.authority;
  auto endpoints = server.proxy != nullptr ? resolve_through(*server.proxy, url, target.timeouts.dns_ns)
                                           : resolve(url, target.timeouts.dns_ns);
  if (!endpoints) return endpoints.errors();
  server.endpoints = std::move(*endpoints);
  return server;
}

FetchRequest request_to(const RunFile& file, const Preflight& found, const TargetServer& server) {
  return {.url = server.url,
          .endpoints = server.endpoints,
          .proxy = server.proxy,
          .http2 = file.target.connections.http2,
          .grpc = found.profile.is_grpc(),
          .tls = found.tls};
}

Url page_url(const Url& server, const Profile& profile, const MetricsPage& page) {
  Url url = server;
  const auto port = profile.ports.find(page.port);
  if (!page.port.empty() && port != profile.ports.end()) url.port = static_cast<uint16_t>(port->second);
  if (profile.is_grpc()) url.scheme = url.tls ? "https" : "http";
  return url;
}

Result<Answer> ask_server(const RunFile& file, const Preflight& found, const TargetServer& server,
                          const Probe& probe, const FillValues& values) {
  const Probe filled = fill(probe, values);
  FetchRequest request = request_to(file, found, server);
  request.method = filled.method;
  request.path = filled.path;
  request.headers = target_headers(file, found.profile);
  for (const auto& header : filled.headers) request.headers.push_back(header);
  if (filled.body_is_json) request.headers.emplace_back("content-type", "application/json");
  request.grpc = filled.grpc;
  if (filled.grpc) {
    append_grpc_message(filled.body, request.body);
  } else {
    request.body = filled.body;
  }
  request.timeout_ns = filled.timeout_ns > 0 ? filled.timeout_ns : file.target.timeouts.preflight_ns;
  auto answer = fetch(request);
  return answer && filled.grpc ? grpc_answer(std::move(*answer)) : std::move(answer);
}

}  // namespace tokometer

#include "net/fetch.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "net/grpc.hpp"
#include "net/poller.hpp"
#include "net/pool.hpp"
#include "net/request_head.hpp"

namespace tokometer {
namespace {

constexpr size_t kShownBytes = 256;
constexpr int kProxyWantsCredentials = 407;

class Collector final : public ExchangeHandler {
 public:
  explicit Collector(bool grpc) : grpc_(grpc) {}
  void on_connection(const ConnectionInfo&) override {}
  void on_sent(int64_t) override {}
  void on_send_done(int64_t) override {}
  void on_read(const ReadStamp&, size_t) override {}
  void on_head(const ResponseHead& head) override {
    answer.status = head.status;
    answer.content_type = head.content_type;
    for (const Field& field : head.fields) answer.headers.emplace_back(field.name, field.value);
  }
  void on_body(std::string_view piece) override { answer.body.append(piece); }
  void on_read_done() override {}
  void on_end(const EndInfo& info) override {
    if (info.no_last_chunk) failure = Failure{"truncated", "closed before the last chunk", 0};
    if (grpc_) read_messages(info.trailers);
    over = true;
  }
  void on_failure(const Failure& what) override {
    failure = what;
    over = true;
  }

  Answer answer;
  std::optional<Failure> failure;
  bool over = false;

 private:
  void read_messages(std::span<const Field> trailers) {
    const std::string body = std::exchange(answer.body, {}) + std::string(kSpareBytes, '\0');
    const std::string_view whole = std::string_view(body).substr(0, body.size() - kSpareBytes);
    if (!has_grpc_status(trailers) && (answer.status != 200 || !is_grpc_type(answer.content_type))) {
      failure = Failure{answer.status != 200 ? "status." + std::to_string(answer.status) : "content_type",
                        "no gRPC: \"" + escape_terminal(whole, kShownBytes) + "\"", 0};
      return;
    }
    GrpcReader reader;
    std::string_view left = whole, message;
    while (reader.read(left, message) == GrpcReader::Progress::message) {
      answer.body.append(message);
      answer.message_ends.push_back(answer.body.size());
    }
    if (!reader.fault().cls.empty()) failure = Failure{reader.fault().cls, reader.fault().message, 0};
    if (reader.is_inside()) failure = Failure{"truncated", "the reply ended inside a gRPC message", 0};
    GrpcStatus status = read_grpc_status(trailers);
    answer.status = 200;
    answer.grpc_status = status.code;
    answer.grpc_message = std::move(status.message);
  }

  static constexpr size_t kSpareBytes = 64;
  bool grpc_;
};

Result<std::string> grpc_bytes(const FetchRequest& request, std::string_view target,
                               std::string_view authority, std::span<const Field> fields) {
  std::string bytes;
  auto written = write_grpc_request_head({.path = target,
                                          .authority = authority,
                                          .scheme = request.url.tls ? "https" : "http",
                                          .request_id = request.request_id,
                                          .timeout_ns = request.timeout_ns,
                                          .headers = fields},
                                         bytes);
  if (!written) return written.errors();
  return bytes + request.body;
}

Result<std::string> request_bytes(const FetchRequest& request) {
  const std::string authority = request.url.authority();
  const std::string target = request.url.path_prefix + request.path;
  std::vector<Field> fields;
  for (const auto& [name, value] : request.headers) fields.push_back({name, value});
  if (request.grpc) return grpc_bytes(request, target, authority, fields);
  RequestHead head;
  head.method = request.method;
  head.target = target;
  head.authority = authority;
  head.request_id = request.request_id;
  head.keep_alive = false;
  head.headers = fields;
  if (!request.body.empty() || request.method != "GET") head.content_length = request.body.size();
  if (request.url.tls) head.scheme = "https";
  const std::string origin = "http://" + authority;
  if (request.proxy != nullptr && !needs_tunnel(request.url, request.http2)) {
    head.origin = origin;
    head.proxy_authorization = request.proxy->authorization;
  }
  std::string bytes;
  const auto write = request.http2 ? write_http2_request_head : write_request_head;
  if (auto written = write(head, bytes); !written) return written.errors();
  return bytes + request.body;
}

Error named(const FetchRequest& request, const std::string& cls, const std::string& message) {
  const bool is_plain = request.url.scheme == "http" || request.url.scheme == "grpc";
  const bool may_be_tls = cls == "closed" && is_plain;
  return Error{cls + ": " + (request.grpc ? "gRPC" : request.method) + " " + request.url.text() +
               request.path + ": " + message +
               (may_be_tls ? "; if this port speaks TLS, write " + request.url.scheme + "s:// in place of " +
                                 request.url.scheme + "://"
                           : "")};
}

std::string tunnel_request_of(const FetchRequest& request) {
  const bool tunnels = request.proxy != nullptr && needs_tunnel(request.url, request.http2 || request.grpc);
  return tunnels ? tunnel_request(*request.proxy, request.url) : std::string();
}

Result<Answer> exchange(const FetchRequest& request, const std::string& bytes, int64_t deadline_ns) {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  Collector collector(request.grpc);
  Pool pool(io, poller, clock,
            {.endpoints = request.endpoints,
             .tunnel_request = tunnel_request_of(request),
             .policy = ConnectionPolicy::fresh,
             .http2 = request.http2 || request.grpc,
             .http2_advice = request.grpc ? kFindGrpcPort : kUseHttp1,
             .limits = request.limits,
             .tls = request.url.tls ? request.tls : nullptr,
             .tls_host = request.url.host});
  pool.start(collector, bytes);
  while (!collector.over) {
    const int64_t left_ns = deadline_ns - clock.now_ns();
    if (left_ns <= 0) break;
    io.run_one_for(std::chrono::nanoseconds(left_ns));
  }
  if (collector.failure) return named(request, collector.failure->cls, collector.failure->message);
  if (!collector.over)
    return named(request, "timeout.total", "no answer in " + format_duration(request.timeout_ns));
  if (collector.answer.status == kProxyWantsCredentials && request.proxy != nullptr)
    return named(request, "proxy.407", "the proxy wants a user and a password in target.proxy");
  return std::move(collector.answer);
}

}  // namespace

Result<Answer> fetch(const FetchRequest& request) {
  const int64_t deadline_ns = SteadyClock().now_ns() + request.timeout_ns;
  auto bytes = request_bytes(request);
  if (!bytes) return bytes.errors();
  FetchRequest resolved = request;
  if (request.url.tls && request.tls == nullptr) {
    auto context = TlsContext::make({.protocol = request.http2 || request.grpc ? "h2" : "http/1.1"});
    if (!context) return context.errors();
    resolved.tls = *context;
  }
  if (resolved.endpoints.empty()) {
    auto endpoints = request.proxy != nullptr
                         ? resolve_through(*request.proxy, request.url, request.timeout_ns)
                         : resolve(request.url, request.timeout_ns);
    if (!endpoints) return endpoints.errors();
    resolved.endpoints = *endpoints;
  }
  return exchange(resolved, *bytes, deadline_ns);
}

}  // namespace tokometer

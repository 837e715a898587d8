#include "net/fetch.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "net/poller.hpp"
#include "net/pool.hpp"

namespace tokometer {
namespace {

class Collector final : public ExchangeHandler {
 public:
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
    over = true;
  }
  void on_failure(const Failure& what) override {
    failure = what;
    over = true;
  }

  Answer answer;
  std::optional<Failure> failure;
  bool over = false;
};

Result<std::string> request_bytes(const FetchRequest& request) {
  RequestHead head;
  const std::string authority = request.url.authority();
  const std::string target = request.url.path_prefix + request.path;
  std::vector<Field> fields;
  for (const auto& [name, value] : request.headers) fields.push_back({name, value});
  head.method = request.method;
  head.target = target;
  head.authority = authority;
  head.request_id = request.request_id;
  head.keep_alive = false;
  head.headers = fields;
  if (!request.body.empty() || request.method != "GET") head.content_length = request.body.size();
  if (request.url.tls) head.scheme = "https";
  std::string bytes;
  const auto write = request.http2 ? write_http2_request_head : write_request_head;
  if (auto written = write(head, bytes); !written) return written.errors();
  return bytes + request.body;
}

Error named(const FetchRequest& request, const std::string& cls, const std::string& message) {
  const bool may_be_tls = cls == "closed" && request.url.scheme == "http";
  return Error{cls + ": " + request.method + " " + request.url.text() + request.path + ": " + message +
               (may_be_tls ? "; if this port speaks TLS, write https:// in place of http://" : "")};
}

Result<Answer> exchange(const FetchRequest& request, const std::string& bytes, int64_t deadline_ns) {
  SteadyClock clock;
  boost::asio::io_context io(1);
  Poller poller(io, clock);
  Collector collector;
  Pool pool(io, poller, clock,
            {.endpoints = request.endpoints,
             .policy = ConnectionPolicy::fresh,
             .http2 = request.http2,
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
  return std::move(collector.answer);
}

}  // namespace

Result<Answer> fetch(const FetchRequest& request) {
  const int64_t deadline_ns = SteadyClock().now_ns() + request.timeout_ns;
  auto bytes = request_bytes(request);
  if (!bytes) return bytes.errors();
  FetchRequest resolved = request;
  if (request.url.tls && request.tls == nullptr) {
    auto context = TlsContext::make({.protocol = request.http2 ? "h2" : "http/1.1"});
    if (!context) return context.errors();
    resolved.tls = *context;
  }
  if (resolved.endpoints.empty()) {
    auto endpoints = resolve(request.url, request.timeout_ns);
    if (!endpoints) return endpoints.errors();
    resolved.endpoints = *endpoints;
  }
  return exchange(resolved, *bytes, deadline_ns);
}

}  // namespace tokometer

// The connections of one worker to one target: opens, keeps alive, reuses (last in, first out), drops. No
// timers of a request are kept here: the engine's wheel calls cancel(). Lives on the worker's thread.
// Destroying it closes everything without a callback.
//
//   Pool pool(io, poller, clock, {.endpoints = endpoints});
//   pool.start(handler, request_bytes);
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "net/connection.hpp"
#include "net/poller.hpp"
#include "net/pool_core.hpp"
#include "net/tls_context.hpp"
#include "net/url.hpp"

namespace tokometer {

inline constexpr std::string_view kUseHttp1 = "set target.connections.http to \"1.1\"";
inline constexpr std::string_view kFindGrpcPort = "gRPC needs HTTP/2; is this the server's gRPC port?";

enum class ConnectionPolicy { reuse, fresh };  // fresh: a connection of its own for each request

struct PoolOptions {
  std::vector<Endpoint> endpoints = {};  // of one host, in order of preference; at least one
  std::string tunnel_request = {};       // for the proxy at the endpoints; empty: the server itself is there
  ConnectionPolicy policy = ConnectionPolicy::reuse;
  int64_t max_idle_ns = 4'000'000'000;    // an idle connection is closed after this: most servers do at 5 s
  int64_t drain_ns = 1'000'000'000;       // how long a detached exchange may take to end
  int64_t next_address_ns = 300'000'000;  // a silent address gets a rival after this
  // How long the TLS handshake of a connection may take that no request waits for (those have timers).
  int64_t handshake_ns = 5'000'000'000;
  // HTTP/2, with requests as write_http2_request_head() has them; else HTTP/1.1.
  bool http2 = false;
  size_t streams_per_connection = 1;          // at most, of HTTP/2; the peer's own limit counts too
  std::string_view http2_advice = kUseHttp1;  // to those whose server speaks HTTP/1.1 only; static
  HttpLimits limits = {};
  std::shared_ptr<const TlsContext> tls = {};  // null: plain bytes
  std::string tls_host = {};                   // the URL's host, for which the certificate must be
};

struct PoolCounters {
  uint64_t opened = 0;         // connections established
  uint64_t resumed = 0;        // of these, with a TLS ticket
  uint64_t reused = 0;         // requests started on a pooled connection
  uint64_t closed_idle = 0;    // idle connections that the peer closed; dropped, nothing was sent into them
  uint64_t stale = 0;          // idle connections dropped because the peer wrote into them unasked (408)
  uint64_t surplus_bytes = 0;  // bytes that belonged to no exchange, or to one that was already over
  size_t idle = 0, active = 0, draining = 0, connecting = 0;  // now
};

class Pool {
 public:
  Pool(boost::asio::io_context& io, Poller& poller, const Clock& clock, PoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Takes an idle connection or opens one, and sends. `request` is head and body, contiguous; it must live
  // until on_send_done or the last callback. on_connecting to on_send_done may come from inside this call;
  // on_end and on_failure never do, so a handler that starts the next request from its last callback does not
  // recurse.
  void start(ExchangeHandler& handler, std::string_view request);

  // Closes the handler's connection (or gives up connecting); with HTTP/2, resets its stream. No more
  // callbacks. Without effect if it has no exchange.
  void cancel(ExchangeHandler& handler);

  // The logical end was reached ([DONE]): the response is complete for the caller. The rest is read and
  // dropped here for at most drain_ns, then the connection is reused or closed. No more callbacks. With
  // HTTP/2 the stream is reset, which leaves the connection as it is.
  void detach(ExchangeHandler& handler);

  // Opens n idle connections, at most 64 at a time; jobs follow one another. done is called once, from the
  // io_context: when all stand, or with the first error when the rest of the attempts is over.
  void preconnect(size_t n, std::function<void(Result<void>)> done);

  // Closes all idle connections.
  void close_idle();

  PoolCounters counters() const;

 private:
  class Http1;
  std::unique_ptr<PoolCore> core_;
};

}  // namespace tokometer

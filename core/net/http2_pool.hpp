// The HTTP/2 connections of one worker to one target. A request takes a connection that has room for a stream
// (the fullest kind first), else it waits, in order, while one is opened or a stream ends. Made by Pool.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <string_view>

#include "net/alarm.hpp"
#include "net/http2_connection.hpp"
#include "net/pool.hpp"
#include "net/pool_core.hpp"
#include "net/preconnects.hpp"

namespace tokometer {

class Http2Pool final : public PoolCore, public Http2Owner, public Pollable {
 public:
  Http2Pool(boost::asio::io_context& io, Poller& poller, const Clock& clock, PoolOptions options);
  ~Http2Pool() override;

  void start(ExchangeHandler& handler, std::string_view request) override;
  void cancel(ExchangeHandler& handler) override;
  void detach(ExchangeHandler& handler) override { cancel(handler); }
  void preconnect(size_t requests, std::function<void(Result<void>)> done) override;
  void close_idle() override;
  PoolCounters counters() const override;

 private:
  using Connections = std::list<Http2Connection>;
  using Exchanges = std::list<Http2Exchange>;

  void on_attempt(Http2Connection& connection, int64_t at_ns) override;
  void on_securing(Http2Connection& connection) override;
  void on_opened(Http2Connection& connection) override;
  void on_open_failed(Http2Connection& connection, const Failure& failure) override;
  void on_changed(Http2Connection& connection) override;
  void on_over(Http2Connection& connection) override;
  void release(Http2Exchange& exchange) override;
  void on_ready(uint32_t events) override;  // our own wake

  Http2Exchange& new_exchange(ExchangeHandler& handler, std::string_view request);
  Http2Connection* connection_with_room();
  void start_on(Http2Connection& connection, Http2Exchange& exchange);
  void serve_waiting();
  size_t promised() const;
  size_t streams_each() const { return std::min<size_t>(options_.streams_per_connection, peer_limit_); }
  bool may_open() const { return peer_limit_ > 0; }  // else further connections would not help
  void open_one(bool is_preconnect);
  void fail_waiting(const Failure& failure);
  size_t room(const Http2Connection& connection) const;
  void place(Http2Connection& connection);
  void move(Http2Connection& connection, Connections& to);
  void drop(Http2Connection& connection);
  void on_preconnected(Http2Connection& connection, std::optional<Error> error);
  void wake();
  void set_alarm();
  void on_alarm();

  Poller& poller_;
  const Clock& clock_;
  PoolOptions options_;
  std::unique_ptr<TlsLink> link_;  // outlives the connections
  Connections opening_;            // in order of since_ns, as idle_ is
  Connections idle_;               // no stream; the back was used last
  Connections roomy_;              // some streams, and room for more
  Connections unsettled_;          // one stream; more when the peer's SETTINGS are known
  Connections full_;
  Connections leaving_;  // after GOAWAY, or used up: closed with their last stream
  Connections dead_;
  Exchanges waiting_;  // for a connection, in order
  Exchanges running_, spare_;
  Alarm alarm_;
  PoolCounters counters_;
  Preconnects preconnects_;
  uint64_t last_id_ = 0;
  size_t preferred_ = 0;                                    // the address that answered last
  size_t peer_limit_ = std::numeric_limits<size_t>::max();  // on a connection's streams, as last heard
  bool serving_ = false;
  bool woken_ = false;
};

}  // namespace tokometer

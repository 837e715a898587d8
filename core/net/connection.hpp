// What happens to one request on the wire, told to its ExchangeHandler, and the connection that carries it.
// The engine implements ExchangeHandler and starts requests through Pool; Connection is the pool's own.
//
// Order of callbacks, all on the worker's thread:
//   [on_connecting [on_securing]] on_connection  on_sent  [on_send_progress]...  on_send_done
//   { on_read  [on_head] [on_body]...  on_read_done }...   then exactly one of  on_end | on_failure
// A response may begin, and even end, before on_send_done (an early 413). on_end and on_failure are the last
// callback: the handler is free again and may be given to Pool::start from inside them. on_read_done closes
// every on_read, also when that read completes or breaks the response. Inside any callback the handler may
// call Pool::cancel or Pool::detach on itself; nothing is called after that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/http1.hpp"
#include "net/link.hpp"

namespace tokometer {

struct EndInfo {
  bool surplus = false;  // bytes followed the response in the same read; the connection was closed
  bool no_last_chunk =
      false;  // EOF at a chunk border, no 0-chunk: without a logical end this is a truncated response
  bool keep_alive = false;  // the connection went back to the pool
  // HTTP/2: the trailers, or the head of a response that is nothing but a head. During the callback only.
  std::span<const Field> trailers = {};
};

struct Failure {
  std::string cls;      // connect, client.fd, client.port, proxy, proxy.<status>, tls, closed,
                        // closed.reused, send, framing, truncated, limit, encoding, h2, h2.<code>
  std::string message;  // a sentence that names endpoint and phase; foreign text escaped and cut
  int64_t at_ns = 0;    // when it was known, user clock
};

class Connection;
struct Http2Exchange;

// Whose connection it is, where requests are to follow one another on it. HTTP/1.1 only.
struct Tenant {
  uint64_t id = 0;         // 0: nobody's; any free connection will do
  bool moves_in = true;    // it takes a free connection; else its own, or a new one where that is gone
  bool moves_out = false;  // afterwards the connection is anybody's again
};

class ExchangeHandler {
 public:
  Tenant tenant;  // set before Pool::start

  virtual void on_connecting(int64_t /*connect_ns*/) {}        // C0, only when a connection is opened for it
  virtual void on_securing(const ConnectionInfo& /*info*/) {}  // TCP is ready, the TLS handshake begins
  virtual void on_connection(const ConnectionInfo& info) = 0;  // ready to send
  virtual void on_sent(int64_t sent_ns) = 0;                   // X, just before the first send()
  virtual void on_send_progress(int64_t /*at_ns*/, size_t /*bytes_left*/) {
  }                                              // the kernel took a part, more is left
  virtual void on_send_done(int64_t at_ns) = 0;  // Y; the request bytes are not needed any more
  virtual void on_read(const ReadStamp& stamp, size_t bytes) = 0;  // before the pieces of one socket read
  virtual void on_head(const ResponseHead& head) = 0;              // once
  virtual void on_body(std::string_view piece) = 0;                // never empty; 64 readable bytes follow it
  virtual void on_read_done() = 0;                                 // all pieces of that read were told
  // The response is complete. Its last byte came with the last on_read, also when an EOF told us (read to
  // close).
  virtual void on_end(const EndInfo& info) = 0;
  virtual void on_failure(const Failure& failure) = 0;

 protected:
  ~ExchangeHandler() = default;

 private:
  friend class Connection;
  friend class Pool;
  friend class Http2Connection;
  friend class Http2Pool;
  Connection* connection_ = nullptr;   // that carries its exchange now
  Http2Exchange* exchange_ = nullptr;  // likewise, of HTTP/2
};

// The pool's side of a connection. Each call is the last thing the connection does, but for telling its
// handler.
class ConnectionOwner {
 public:
  virtual void on_attempt(Connection& connection, int64_t at_ns) = 0;  // an address is being tried
  // An address has answered; a tunnel or TLS is still to come. Perhaps once for each.
  virtual void on_securing(Connection& connection) = 0;
  virtual void on_opened(Connection& connection) = 0;
  virtual void on_open_failed(Connection& connection,
                              const Failure& failure) = 0;  // when it has no handler to tell
  // The exchange is over, also when it never began; no handler any more. Returns whether the connection was
  // kept.
  virtual bool on_exchange_over(Connection& connection, bool reusable) = 0;
  virtual void on_idle_broken(Connection& connection, size_t unasked_bytes) = 0;  // 0: the peer closed

 protected:
  ~ConnectionOwner() = default;
};

// One connection, from connect to close, that carries one exchange at a time. Made and owned by Pool.
class Connection final : public Link, private Http1Sink {
 public:
  // tls: null for plain bytes; else it outlives the connection.
  Connection(Poller& poller, ConnectionOwner& owner, const HttpLimits& limits, TlsLink* tls, uint64_t id);
  ~Connection() { close(); }

  // Starts to connect; the first address that answers wins. May finish inside the call.
  void open(std::span<const Endpoint> endpoints, size_t first, std::string_view tunnel_request);

  // Sends at once, or as soon as it is open. No final callback comes from inside.
  void start(ExchangeHandler& handler, std::string_view request, bool after_stale);
  // The handler is forgotten; the rest of the response is read and dropped, then the owner hears
  // on_exchange_over (inside the call when there is nothing to wait for).
  void detach();
  void close() noexcept;  // nobody hears anything

  // Asks the kernel. When the peer has closed or written meanwhile, the owner hears on_idle_broken: false.
  bool is_still_idle();
  bool is_open() const noexcept { return transport_.has_socket(); }
  bool has_handler() const noexcept { return handler_ != nullptr; }
  uint64_t take_dropped_bytes() noexcept {
    return std::exchange(dropped_bytes_, 0);
  }  // surplus, or after detach

  // The pool's notes: where the connection stands, and since when.
  std::list<Connection>* list = nullptr;
  std::list<Connection>::iterator position;
  int64_t since_ns = 0;
  uint64_t tenant = 0;  // 0: it is free

 private:
  enum class Phase { connecting, securing, idle, exchange, draining, broken, closed };

  void on_ready(uint32_t events) override;
  bool on_head(const ResponseHead& head) override;
  bool on_body(std::string_view piece) override;
  void on_attempt(int64_t at_ns) override { owner_.on_attempt(*this, at_ns); }
  void on_tunneling() override { owner_.on_securing(*this); }
  void on_securing() override;
  void on_link_open() override;
  void on_link_broken(std::string_view cls, std::string message) override;
  void send_output() override;

  void secure_some();
  void begin_exchange();
  void send_some();
  void take(const ReceiveResult& read);
  void take_bytes(const ReceiveResult& read);
  void take_close(int error);
  void take_fault();
  void become_idle();
  void finish(EndInfo info, size_t surplus_bytes);
  void fail(std::string_view cls, const std::string& what);
  void fail(const Failure& failure);
  ExchangeHandler* release_handler() noexcept;
  std::string_view no_byte_class() const noexcept { return info_.reused ? "closed.reused" : "closed"; }

  ConnectionOwner& owner_;
  Http1Reader reader_;
  ExchangeHandler* handler_ = nullptr;
  std::string_view request_;         // to be put into the transport when it is open
  std::unique_ptr<Failure> broken_;  // to be told on the next turn
  Phase phase_ = Phase::connecting;
  bool sending_ = false;  // the request: on_send_done is still to be told
  int send_error_ = 0;
  uint64_t dropped_bytes_ = 0;
};

}  // namespace tokometer

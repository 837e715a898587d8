// What happens to one request on the wire, told to its ExchangeHandler, and the connection that carries it.
// The engine implements ExchangeHandler and starts requests through Pool; Connection is the pool's own.
//
// Order of callbacks, all on the worker's thread:
//   [on_connecting] on_connection  on_sent  [on_send_progress]...  on_send_done
//   { on_read  [on_head] [on_body]...  on_read_done }...   then exactly one of  on_end | on_failure
// A response may begin, and even end, before on_send_done (an early 413). on_end and on_failure are the last callback:
// the handler is free again and may be given to Pool::start from inside them. When a read completes the response,
// on_read_done comes before on_end; a read that ends in a failure has no on_read_done.
// Inside any callback the handler may call Pool::cancel or Pool::detach on itself; nothing is called after that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "net/http1.hpp"
#include "net/poller.hpp"
#include "net/socket.hpp"

namespace tokometer {

struct ConnectionInfo {
  uint64_t id = 0;                    // from 1, unique in its pool
  bool reused = false;                // taken from the pool: kept alive, or connected before the request
  int64_t connect_ns = kNoInstant;    // C0; kNoInstant when reused
  int64_t tcp_ready_ns = kNoInstant;  // C1; likewise
  bool after_stale = false;           // a pooled connection was dropped since the last request: it held unasked bytes
  std::string_view endpoint;          // "127.0.0.1:8000"; lives as long as the pool
};

struct EndInfo {
  bool surplus = false;        // bytes followed the response in the same read; the connection was closed
  bool no_last_chunk = false;  // EOF at a chunk border, no 0-chunk: without a logical end this is a truncated response
  bool keep_alive = false;     // the connection went back to the pool
};

struct Failure {
  std::string cls;      // connect, client.fd, client.port, closed, closed.reused, send, framing, truncated, limit, encoding
  std::string message;  // a sentence that names endpoint and phase; foreign text escaped and cut
  int64_t at_ns = 0;    // when it was known, user clock
};

class ExchangeHandler {
 public:
  virtual void on_connecting(int64_t /*connect_ns*/) {}            // C0, only when a connection is opened for it
  virtual void on_connection(const ConnectionInfo& info) = 0;      // ready to send
  virtual void on_sent(int64_t sent_ns) = 0;                       // X, just before the first send()
  virtual void on_send_progress(int64_t /*at_ns*/, size_t /*bytes_left*/) {}  // the kernel took a part, more is left
  virtual void on_send_done(int64_t at_ns) = 0;                    // Y; the request bytes are not needed any more
  virtual void on_read(const ReadStamp& stamp, size_t bytes) = 0;  // before the pieces of one socket read
  virtual void on_head(const ResponseHead& head) = 0;              // once
  virtual void on_body(std::string_view piece) = 0;                // never empty; 64 readable bytes follow it
  virtual void on_read_done() = 0;                                 // all pieces of that read were told
  // The response is complete. Its last byte came with the last on_read, also when an EOF told us (read to close).
  virtual void on_end(const EndInfo& info) = 0;
  virtual void on_failure(const Failure& failure) = 0;

 protected:
  ~ExchangeHandler() = default;
};

class Connection;

// The pool's side of a connection. Each call is the last thing the connection does in its turn.
class ConnectionOwner {
 public:
  virtual void on_exchange_over(Connection& connection, bool reusable) = 0;  // no handler any more
  virtual void on_idle_broken(Connection& connection, size_t unasked_bytes) = 0;  // EOF (0) or bytes while idle

 protected:
  ~ConnectionOwner() = default;
};

// A connected socket that carries one exchange at a time. Made and owned by Pool.
class Connection final : public Pollable, private Http1Sink {
 public:
  Connection(Poller& poller, ConnectionOwner& owner, const HttpLimits& limits, Socket socket, ConnectionInfo info);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends at once. No final callback comes from inside: a send that fails is told on the next turn.
  void start(ExchangeHandler& handler, std::string_view request);
  // The handler is forgotten, the rest of the response is read and dropped; the owner hears on_exchange_over.
  void detach();
  // Closes the socket; nobody hears anything.
  void close() noexcept;

  bool is_idle() const noexcept { return phase_ == Phase::idle; }
  // Asks the kernel: false when the peer has closed or sent something meanwhile.
  bool is_fresh();
  ExchangeHandler* handler() const noexcept { return handler_; }
  const ConnectionInfo& info() const noexcept { return info_; }
  uint64_t dropped_bytes() const noexcept { return dropped_bytes_; }  // read while detached, or surplus

  int64_t since_ns = 0;                      // the pool's note: idle or draining since
  std::list<Connection>::iterator position;  // the pool's note: where it stands

 private:
  enum class Phase { idle, exchange, draining, closed };

  void on_ready(uint32_t events) override;
  bool on_head(const ResponseHead& head) override;
  bool on_body(std::string_view piece) override;

  void send_some();
  void read_some();
  void take_bytes(const ReceiveResult& read);
  void take_eof(int error);
  void end(EndInfo info, size_t surplus_bytes);
  void fail(std::string cls, std::string message);
  void watch(uint32_t events);

  Poller& poller_;
  ConnectionOwner& owner_;
  Socket socket_;
  ConnectionInfo info_;
  Http1Reader reader_;
  ExchangeHandler* handler_ = nullptr;
  std::string_view unsent_;
  int send_error_ = 0;
  uint32_t watched_ = 0;
  Phase phase_ = Phase::idle;
  int64_t known_empty_ns_;
  uint64_t reported_in_poll_ = 0;
  uint64_t dropped_bytes_ = 0;
};

}  // namespace tokometer

// One HTTP/2 connection, from connect to close, that carries several exchanges at a time: transport, session,
// and the callbacks of each. Made and owned by Http2Pool, on the worker's thread. Callbacks run outside of
// the session, after the read that caused them, stream by stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/connection.hpp"
#include "net/http2.hpp"
#include "net/link.hpp"

namespace tokometer {

class Http2Connection;
struct PoolOptions;

// A request on its way: first the pool's, while it waits for a connection, then its connection's.
struct Http2Exchange : Http2Stream {
  ExchangeHandler* handler = nullptr;  // null: cancelled
  std::string_view request;
  Http2Connection* connection = nullptr;
  int64_t waits_since_ns = kNoInstant;  // for a connection; kNoInstant: it found one
  bool knows_securing = false;          // on_securing was told
  bool after_stale = false, reused = false;
  bool is_sent = false;  // on_send_done was told
  int64_t sent_ns = kNoInstant;
  std::list<Http2Exchange>::iterator position;
};

// Every stream of a Http2Connection's session is one.
inline Http2Exchange& exchange_of(Http2Stream& stream) {
  return static_cast<Http2Exchange&>(stream);
}

// The pool's side.
class Http2Owner {
 public:
  virtual void on_attempt(Http2Connection& connection, int64_t at_ns) = 0;
  virtual void on_securing(Http2Connection& connection) = 0;
  virtual void on_opened(Http2Connection& connection) = 0;
  virtual void on_open_failed(Http2Connection& connection, const Failure& failure) = 0;
  virtual void on_changed(Http2Connection& connection) = 0;  // streams ended, or the peer's limit did
  virtual void on_over(Http2Connection& connection) = 0;     // closed; its exchanges are told next
  virtual void release(Http2Exchange& exchange) = 0;         // it may be used again

 protected:
  ~Http2Owner() = default;
};

class Http2Connection final : public Link {
 public:
  // options outlive the connection.
  Http2Connection(Poller& poller, Http2Owner& owner, const PoolOptions& options, TlsLink* tls, uint64_t id);
  ~Http2Connection() { close(); }

  void open(std::span<const Endpoint> endpoints, size_t first);

  // [is_open] Sends at once. No final callback comes from inside.
  void start(Http2Exchange& exchange);
  void cancel(Http2Exchange& exchange);  // resets the stream; no more callbacks
  bool is_still_open();                  // reads what has come; false: the owner has heard on_over
  void close() noexcept;                 // nobody hears anything

  bool is_open() const noexcept { return phase_ == Phase::open; }
  bool knows_settings() const noexcept { return session_.knows_settings(); }
  bool takes_requests() const noexcept { return is_open() && session_.takes_requests(); }
  size_t streams() const noexcept { return session_.streams().size(); }
  uint32_t stream_limit() const noexcept { return session_.stream_limit(); }
  const ConnectionInfo& info() const noexcept { return info_; }

  // The pool's notes: where the connection stands, and since when.
  std::list<Http2Connection>* list = nullptr;
  std::list<Http2Connection>::iterator position;
  int64_t since_ns = 0;
  bool is_preconnect = false;  // opened for no request

 private:
  enum class Phase { connecting, securing, open, broken, closed };

  void on_ready(uint32_t events) override;
  void on_attempt(int64_t at_ns) override { owner_.on_attempt(*this, at_ns); }
  void on_tunneling() override {}
  void on_securing() override;
  void on_link_open() override;
  void on_link_broken(std::string_view cls, std::string message) override;
  void send_output() override { flush(); }

  void secure_some();
  ConnectionInfo info_for(const Http2Exchange& exchange) const;
  void take(const ReceiveResult& read);
  void take_bytes(const ReceiveResult& read);
  void take_close(int error);
  void deliver(const ReadStamp& stamp);
  void tell(Http2Exchange& exchange, ReadStamp stamp);
  void tell_head(Http2Exchange& exchange);
  void conclude(Http2Exchange& exchange);
  void flush();
  bool fill_transport();
  void tell_departing();
  void tell_sent(size_t left);
  void fail_all(std::string_view cls, const std::string& what);
  void fail(Http2Exchange& exchange, std::string_view cls, const std::string& what);
  ExchangeHandler* release(Http2Exchange& exchange);

  Http2Owner& owner_;
  const PoolOptions& options_;
  Http2Session session_;
  std::string out_;                  // frames, until the transport has sent them
  std::vector<Http2Stream*> over_;   // for the length of a call
  std::unique_ptr<Failure> broken_;  // to be told on the next turn
  Phase phase_ = Phase::connecting;
  bool flushing_ = false, delivering_ = false;
  bool got_bytes_ = false;
  int send_error_ = 0;
};

}  // namespace tokometer

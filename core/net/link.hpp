// What a connection is, whatever protocol it speaks: addresses that are tried until one answers, a tunnel
// through a proxy, TLS over the socket, its place in the poller, one read at a time. Connection (HTTP/1.1)
// and Http2Connection derive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/connector.hpp"
#include "net/poller.hpp"
#include "net/socket.hpp"
#include "net/transport.hpp"
#include "net/tunnel.hpp"

namespace tokometer {

struct ConnectionInfo {
  uint64_t id = 0;                     // from 1, unique in its pool
  bool reused = false;                 // taken from the pool: kept alive, or connected before the request
  int64_t connect_ns = kNoInstant;     // C0; kNoInstant when reused
  int64_t tcp_ready_ns = kNoInstant;   // C1; likewise
  int64_t tls_ready_ns = kNoInstant;   // C2; likewise, and without TLS
  bool tls_resumed = false;            // half of the handshake was saved by an earlier connection's ticket
  int64_t held_until_ns = kNoInstant;  // HTTP/2: a limit on streams has kept the request waiting until then
  bool after_stale = false;   // a pooled connection was dropped since the last request: it held unasked bytes
  std::string_view endpoint;  // "127.0.0.1:8000"; lives as long as the pool
};

class Link : public Pollable, private ConnectorListener, private TunnelListener {
 public:
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void try_next_address();  // the last one is silent for too long
  bool has_next_address() const noexcept { return connector_ != nullptr && connector_->has_next(); }

  bool is_tunneling() const noexcept { return tunnel_ != nullptr; }
  bool is_resumed() const noexcept { return info_.tls_resumed; }
  size_t endpoint() const noexcept { return endpoint_; }

 protected:
  // tls: null for plain bytes; else it outlives the link.
  Link(Poller& poller, TlsLink* tls, uint64_t id) : poller_(poller), transport_(tls) { info_.id = id; }
  ~Link() = default;  // close_link() comes first

  // Of these, on_tunneling(), on_securing() or on_link_open() comes first, perhaps inside of connect(), and
  // on_link_open() or on_link_broken() is the last.
  virtual void on_tunneling() = 0;  // the proxy has answered and is asked for a way through
  virtual void on_securing() = 0;   // an address has answered: send_output() begins the TLS handshake
  virtual void on_link_open() = 0;  // ready for the protocol's bytes
  virtual void on_link_broken(std::string_view cls, std::string message) = 0;
  virtual void send_output() = 0;  // TLS has put bytes of its own into the transport

  // The first address that answers wins. tunnel_request: for the proxy that is there; empty: there is none.
  // It outlives the link.
  void connect(std::span<const Endpoint> endpoints, size_t first, std::string_view tunnel_request);
  ReceiveResult receive();
  // A step of the TLS handshake: judges what receive() gave. send_error: errno of an earlier send, or 0.
  void secure(const ReceiveResult& read, int send_error);
  void handshake_broken(const std::string& what);
  void watch_writable(bool wanted);  // on_ready(EPOLLOUT) as long as the socket takes bytes
  void close_link() noexcept;

  Poller& poller_;
  Transport transport_;
  ConnectionInfo info_;
  int64_t known_empty_ns_ = kNoInstant;  // the socket held no byte then

 private:
  void on_connected(Socket socket, size_t endpoint, int64_t ready_ns) final;
  void on_connect_failed(std::string_view cls, std::string message) final;
  void on_tunnel_open(Socket socket, int64_t ready_ns) final;
  void on_tunnel_failed(std::string_view cls, std::string message) final;
  void begin(Socket socket, int64_t ready_ns);

  std::span<const Endpoint> endpoints_;
  std::string_view tunnel_request_;
  std::unique_ptr<Connector> connector_;  // while connecting
  std::unique_ptr<Tunnel> tunnel_;        // while the proxy opens it
  size_t endpoint_ = 0;
  uint64_t reported_in_poll_ = 0;
  bool watches_writable_ = false;
};

}  // namespace tokometer

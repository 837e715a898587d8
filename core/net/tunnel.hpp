// Asks a proxy for a way through (CONNECT), on a connection to it that has just been opened. Takes exactly
// its answer's head from the socket: what follows is the server's. Owned by the Link that it opens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/poller.hpp"
#include "net/socket.hpp"

namespace tokometer {

// Each call ends the tunnel's work and may destroy it.
class TunnelListener {
 public:
  virtual void on_tunnel_open(Socket socket, int64_t ready_ns) = 0;
  virtual void on_tunnel_failed(std::string_view cls, std::string message) = 0;  // "proxy", "proxy.<status>"

 protected:
  ~TunnelListener() = default;
};

class Tunnel final : public Pollable {
 public:
  // request: of tunnel_request(); it outlives the tunnel.
  Tunnel(Poller& poller, TunnelListener& listener, Socket socket, std::string_view request);
  ~Tunnel() { poller_.remove(socket_.fd(), *this); }
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  int begin();  // 0, or errno. The listener hears nothing inside the call

 private:
  void on_ready(uint32_t events) override;
  void send_some();
  void read_head();
  void judge();
  void fail(std::string_view cls, std::string message);

  Poller& poller_;
  TunnelListener& listener_;
  Socket socket_;
  std::string_view unsent_;
  std::string head_;
};

}  // namespace tokometer

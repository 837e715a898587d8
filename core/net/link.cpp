#include "net/link.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

namespace tokometer {

void Link::connect(std::span<const Endpoint> endpoints, size_t first, std::string_view tunnel_request) {
  endpoints_ = endpoints;
  tunnel_request_ = tunnel_request;
  ConnectorListener& listener = *this;
  connector_ = std::make_unique<Connector>(poller_, listener, endpoints, first);
  connector_->try_next();
}

void Link::try_next_address() {
  if (has_next_address()) connector_->try_next();
}

void Link::on_connected(Socket socket, size_t endpoint, int64_t ready_ns) {
  connector_.reset();
  endpoint_ = endpoint;
  info_.endpoint = endpoints_[endpoint].text;
  if (tunnel_request_.empty()) return begin(std::move(socket), ready_ns);
  TunnelListener& listener = *this;
  tunnel_ = std::make_unique<Tunnel>(poller_, listener, std::move(socket), tunnel_request_);
  const int error = tunnel_->begin();
  error == 0 ? on_tunneling() : on_tunnel_failed("client.fd", "epoll: " + error_text(error));
}

void Link::on_tunnel_open(Socket socket, int64_t ready_ns) {
  tunnel_.reset();
  begin(std::move(socket), ready_ns);
}

void Link::on_tunnel_failed(std::string_view cls, std::string message) {
  tunnel_.reset();
  on_link_broken(cls, std::string(info_.endpoint) + ": " + message);
}

void Link::begin(Socket socket, int64_t ready_ns) {
  transport_.begin(std::move(socket), endpoint_);
  info_.tcp_ready_ns = known_empty_ns_ = ready_ns;
  if (const int error = poller_.add_reader(transport_.fd(), *this); error != 0) {
    return on_link_broken("client.fd", "epoll for " + std::string(info_.endpoint) + ": " + error_text(error));
  }
  transport_.is_open() ? on_link_open() : on_securing();
}

void Link::on_connect_failed(std::string_view cls, std::string message) {
  connector_.reset();
  on_link_broken(cls, std::move(message));
}

void Link::handshake_broken(const std::string& what) {
  on_link_broken("tls", "TLS with " + std::string(info_.endpoint) + ": " + what);
}

void Link::secure(const ReceiveResult& read, int send_error) {
  switch (read.kind) {
    case ReceiveResult::Kind::fault:
      return handshake_broken(transport_.fault());
    case ReceiveResult::Kind::eof:
      return handshake_broken(
          "the server closed the connection in the handshake: does it speak TLS on this port?");
    case ReceiveResult::Kind::error:
      return handshake_broken("the connection broke in the handshake: " + error_text(read.error));
    case ReceiveResult::Kind::nothing:
      if (send_error != 0) handshake_broken("sending broke in the handshake: " + error_text(send_error));
      return;
    case ReceiveResult::Kind::bytes:
    case ReceiveResult::Kind::unreadable:
      if (!transport_.is_open()) return;
      info_.tls_ready_ns = poller_.receiver().now_ns();
      info_.tls_resumed = transport_.is_resumed();
      on_link_open();
  }
}

ReceiveResult Link::receive() {
  known_empty_ns_ = std::max(known_empty_ns_, poller_.unreported_since_ns(reported_in_poll_));
  reported_in_poll_ = poller_.current_poll();
  ReceiveResult read = poller_.receive(transport_.fd(), known_empty_ns_);
  transport_.open(read);
  if (read.stamp.kernel) poller_.on_stamp(read.stamp.at_ns);
  if (transport_.has_output()) {
    transport_.put_output();
    send_output();
  }
  return read;
}

void Link::watch_writable(bool wanted) {
  if (wanted != watches_writable_) poller_.watch_writable(transport_.fd(), *this, wanted);
  watches_writable_ = wanted;
}

void Link::close_link() noexcept {
  connector_.reset();
  tunnel_.reset();
  watch_writable(false);
  poller_.remove(transport_.fd(), *this);
  transport_.close();
}

}  // namespace tokometer

#include "net/tunnel.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr size_t kMaxHeadBytes = 16 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

// "HTTP/1.1 200 Connection established" -> 200; -1: no such line.
int status_of(std::string_view line) {
  constexpr size_t kStatusAt = 9;
  int status = -1;
  if (!line.starts_with("HTTP/1.") || line.size() < kStatusAt + 3) return -1;
  const char* const end = line.data() + kStatusAt + 3;
  const auto read = std::from_chars(line.data() + kStatusAt, end, status);
  return read.ec == std::errc() && read.ptr == end ? status : -1;
}

}  // namespace

Tunnel::Tunnel(Poller& poller, TunnelListener& listener, Socket socket, std::string_view request)
    : poller_(poller), listener_(listener), socket_(std::move(socket)), unsent_(request) {}

int Tunnel::begin() {
  return poller_.add(socket_.fd(), *this, EPOLLOUT);
}

void Tunnel::on_ready(uint32_t) {
  unsent_.empty() ? read_head() : send_some();
}

void Tunnel::send_some() {
  size_t accepted = 0;
  const int error = socket_.send(unsent_, accepted);
  if (error != 0 && error != EAGAIN) return fail("proxy", "asking the proxy failed: " + error_text(error));
  unsent_.remove_prefix(accepted);
  if (unsent_.empty()) poller_.modify(socket_.fd(), *this, EPOLLIN);
}

void Tunnel::read_head() {
  const int error = socket_.read_through(kHeadEnd, kMaxHeadBytes, head_);
  if (error == EAGAIN) return;
  if (error == EMSGSIZE) return fail("proxy", "the proxy's answer to CONNECT has more than 16 KiB");
  if (error == EPIPE)
    return fail("proxy", "the proxy closed the connection in place of an answer to CONNECT");
  if (error != 0) return fail("proxy", "the connection to the proxy broke: " + error_text(error));
  judge();
}

void Tunnel::judge() {
  const std::string line = head_.substr(0, head_.find("\r\n"));
  const int status = status_of(line);
  if (status >= 100 && status < 200) return head_.clear();  // an interim reply
  if (status >= 200 && status < 300) {
    poller_.remove(socket_.fd(), *this);
    return listener_.on_tunnel_open(std::move(socket_), poller_.receiver().now_ns());
  }
  const std::string said = "\"" + escape_terminal(line, 100) + "\"";
  if (status < 0) return fail("proxy", "the proxy did not answer CONNECT in HTTP/1.1: " + said);
  const std::string advice = status == 407 ? "; it wants a user and a password in target.proxy" : "";
  fail("proxy." + std::to_string(status), "the proxy opened no tunnel: it answered " + said + advice);
}

void Tunnel::fail(std::string_view cls, std::string message) {
  poller_.remove(socket_.fd(), *this);
  socket_.close();
  listener_.on_tunnel_failed(cls, std::move(message));
}

}  // namespace tokometer

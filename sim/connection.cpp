#include "sim/connection.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tokometer::sim {
namespace {
constexpr size_t kLongestCut = 64;
}

Connection::Connection(Descriptor socket, uint32_t number, uint64_t seed, std::unique_ptr<TlsEnd> tls)
    : socket_(std::move(socket)), tls_(std::move(tls)), number_(number), cuts_(seed ^ number, "cuts") {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::Connection(Connection& parent, int32_t stream)
    : parent_(&parent), stream_(stream), number_(parent.number_), cuts_(uint64_t(stream), "cuts") {}

void Connection::begin_http2(uint32_t max_streams) {
  http2 = std::make_unique<Http2Session>(max_streams);
}

void Connection::send_frames(Split split) {
  if (http2 != nullptr) send(http2->produce(), split);
}

void Connection::refuse_later_streams() {
  if (parent_ == nullptr) return;
  parent_->http2->go_away(stream_);
  parent_->send_frames();
}

bool Connection::receive() {
  static std::array<char, 64 * 1024> buffer;  // one thread; the bytes move on at once
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (got == 0) return false;
    if (!take({buffer.data(), static_cast<size_t>(got)})) return false;
    if (static_cast<size_t>(got) < buffer.size()) return true;
  }
}

bool Connection::take(std::string_view bytes) {
  if (tls_ == nullptr) return reader.append(bytes), true;
  std::string plain;
  const bool goes_on = tls_->open(bytes, plain);
  reader.append(plain);
  send_bytes(tls_->seal({}));  // the handshake, or an alert
  return goes_on;
}

void Connection::send(std::string_view bytes, Split split) {
  if (parent_ != nullptr) {
    parent_->http2->reply(stream_, bytes);
    return parent_->send_frames(split);
  }
  if (split == Split::whole) return send_piece(bytes);
  while (!bytes.empty()) {
    const size_t cut = split == Split::byte ? 1 : 1 + cuts_.below(kLongestCut);
    send_piece(bytes.substr(0, cut));
    bytes.remove_prefix(std::min(cut, bytes.size()));
  }
}

void Connection::send_piece(std::string_view bytes) {
  send_bytes(tls_ != nullptr && tls_->is_open() ? tls_->seal(bytes) : bytes);
}

void Connection::say_goodbye() {
  if (http2 != nullptr) {
    http2->finish();
    send_frames();
  }
  if (tls_ != nullptr) send_bytes(tls_->close_notify());
}

void Connection::send_bytes(std::string_view bytes) {
  if (broken_ || bytes.empty()) return;
  if (has_unsent()) return void(unsent_.append(bytes));
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return void(broken_ = true);
  const size_t taken = sent < 0 ? 0 : static_cast<size_t>(sent);
  if (taken < bytes.size()) unsent_.append(bytes.substr(taken));
}

void Connection::flush() {
  const std::string_view left = std::string_view(unsent_).substr(unsent_at_);
  const ssize_t sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    broken_ = broken_ || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    return;
  }
  unsent_at_ += static_cast<size_t>(sent);
  if (unsent_at_ == unsent_.size()) unsent_.clear(), unsent_at_ = 0;
}

void Connection::set_reset_on_close() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

bool Connection::is_delivered() const {
  int queued = 0;
  return unsent_.empty() && (::ioctl(socket_.get(), SIOCOUTQ, &queued) != 0 || queued == 0);
}

}  // namespace tokometer::sim

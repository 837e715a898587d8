#include "sim/connection.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace tokometer::sim {
namespace {

constexpr size_t kLongestCut = 64;

int64_t instant_ns(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return instant_ns(now);
}

// How long ago the kernel stamped the newest of the bytes; 0 without a stamp.
int64_t age_ns(msghdr& message) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(control), sizeof stamp);
    return std::max<int64_t>(0, now_ns(CLOCK_REALTIME) - instant_ns(stamp));
  }
  return 0;
}

}  // namespace

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
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
    iovec span{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &span;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket_.get(), &message, 0);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (got == 0) return false;
    arrived_ns_ = now_ns(CLOCK_MONOTONIC) - age_ns(message);
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

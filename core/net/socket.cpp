#include "net/socket.hpp"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tokometer {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStep = 10'000;  // a bigger change of the offset is somebody setting the clock
constexpr int64_t kPlausibleEarly = 1'000'000;

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

void ask_for_stamps(int fd) {
  set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
}

}  // namespace

int64_t wall_stamp_ns(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING) continue;
    scm_timestamping stamps;
    std::memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
    const timespec& software = stamps.ts[0];
    if (software.tv_sec == 0 && software.tv_nsec == 0) return kNoInstant;
    return int64_t{software.tv_sec} * kSecond + software.tv_nsec;
  }
  return kNoInstant;
}

StampConverter::StampConverter(std::function<int64_t()> sample_offset)
    : sample_offset_(std::move(sample_offset)), offset_ns_(sample_offset_()) {}

void StampConverter::sample(int64_t now_ns) {
  const int64_t offset = sample_offset_();
  if (std::abs(offset - offset_ns_) > kStep) {
    ++clock_steps_;
    distrusted_until_ns_ = now_ns + kSecond;
  }
  offset_ns_ = offset;
  next_sample_ns_ = now_ns + kSecond;
}

int64_t StampConverter::to_monotonic(int64_t wall_ns, int64_t earliest_ns, int64_t user_ns) {
  if (next_sample_ns_ == kNoInstant) next_sample_ns_ = user_ns + kSecond;
  if (user_ns >= next_sample_ns_) sample(user_ns);
  const auto implausible = [&](int64_t at_ns) {
    return at_ns > user_ns + kStep || (earliest_ns != kNoInstant && at_ns < earliest_ns - kPlausibleEarly);
  };
  if (implausible(wall_ns - offset_ns_)) sample(user_ns);
  const int64_t at_ns = wall_ns - offset_ns_;
  if (user_ns < distrusted_until_ns_ || at_ns > user_ns + kStep) return kNoInstant;
  return std::min(at_ns, user_ns);
}

Receiver::Receiver(const Clock& clock)
    : clock_(clock),
      buffer_(std::make_unique<char[]>(kBufferBytes + kSpareBytes)),
      last_now_ns_(clock.now_ns()),
      stamping_fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  if (stamping_fd_ >= 0) ask_for_stamps(stamping_fd_);
}

Receiver::~Receiver() {
  if (stamping_fd_ >= 0) ::close(stamping_fd_);
}

Arrival Receiver::read(int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(scm_timestamping)) + CMSG_SPACE(sizeof(timespec))];
  iovec span{buffer_.get(), kBufferBytes};
  msghdr message{};
  message.msg_iov = &span;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(fd, &message, MSG_DONTWAIT);
  if (got < 0) return {.fd = fd, .error = errno, .has_emptied = true};
  return {.fd = fd,
          .bytes = {buffer_.get(), static_cast<size_t>(got)},
          .wall_ns = got > 0 ? wall_stamp_ns(message) : kNoInstant,
          .has_emptied = got < static_cast<ssize_t>(kBufferBytes)};
}

ReceiveResult Receiver::receive(int fd, int64_t& known_empty_ns) {
  const int64_t before_ns = last_now_ns_;
  return take(read(fd), before_ns, known_empty_ns);
}

ReceiveResult Receiver::take(const Arrival& arrival, int64_t read_after_ns, int64_t& known_empty_ns) {
  ReceiveResult result;
  result.stamp.user_ns = result.stamp.at_ns = now_ns();
  result.stamp.empty_before_ns = known_empty_ns;
  if (arrival.error == 0 && arrival.bytes.empty()) {
    result.kind = ReceiveResult::Kind::eof;
    return result;
  }
  if (arrival.has_emptied) known_empty_ns = std::max(known_empty_ns, read_after_ns);
  if (arrival.error != 0) {
    const bool nothing = arrival.error == EAGAIN || arrival.error == EWOULDBLOCK || arrival.error == EINTR;
    result.kind = nothing ? ReceiveResult::Kind::nothing : ReceiveResult::Kind::error;
    result.error = nothing ? 0 : arrival.error;
    return result;
  }
  result.kind = ReceiveResult::Kind::bytes;
  result.bytes = arrival.bytes;
  if (arrival.wall_ns != kNoInstant) {
    const int64_t at_ns =
        converter_.to_monotonic(arrival.wall_ns, result.stamp.empty_before_ns, result.stamp.user_ns);
    result.stamp.kernel = at_ns != kNoInstant;
    if (result.stamp.kernel) result.stamp.at_ns = at_ns;
  }
  // The read came after its newest segment.
  if (arrival.has_emptied && result.stamp.kernel)
    known_empty_ns = std::max(known_empty_ns, result.stamp.at_ns);
  ++counters_.reads;
  counters_.user_stamps += result.stamp.kernel ? 0 : 1;
  counters_.bytes += arrival.bytes.size();
  return result;
}

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

int Socket::start_connect(const Endpoint& endpoint) {
  close();
  fd_ = ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return errno;
  set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  ask_for_stamps(fd_);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.length) == 0) return 0;
  return errno;
}

int Socket::connect_result() const {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

int Socket::send(std::string_view bytes, size_t& accepted) {
  accepted = 0;
  const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return errno == EWOULDBLOCK || errno == EINTR ? EAGAIN : errno;
  accepted = static_cast<size_t>(sent);
  return 0;
}

int Socket::read_through(std::string_view end, size_t most, std::string& text) {
  char bytes[4096];
  const ssize_t seen = ::recv(fd_, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
  if (seen == 0) return EPIPE;
  if (seen < 0) return errno == EWOULDBLOCK || errno == EINTR ? EAGAIN : errno;
  const size_t before = text.size();
  text.append(bytes, static_cast<size_t>(seen));
  const size_t at = text.find(end, before - std::min(before, end.size() - 1));
  const bool found = at != std::string::npos;
  if (found) text.resize(at + end.size());
  if (::recv(fd_, bytes, text.size() - before, MSG_DONTWAIT) < 0) return errno;
  if (found) return 0;
  return text.size() > most ? EMSGSIZE : EAGAIN;
}

void Socket::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::string_view connect_failure_class(int error) noexcept {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOSPC:  // no epoll watch left
      return "client.fd";
    case EADDRNOTAVAIL:
      return "client.port";
    case ECONNRESET:  // a refused handshake is ECONNREFUSED: this one was done, and the reset came before we
                      // looked
      return "closed";
    default:
      return "connect";
  }
}

std::string error_text(int error) {
  const char* name = strerrorname_np(error);
  const char* text = strerrordesc_np(error);
  if (name == nullptr || text == nullptr) return "errno " + std::to_string(error);
  return std::string(text) + " (" + name + ")";
}

}  // namespace tokometer

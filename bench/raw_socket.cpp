#include "raw_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "machine_clock.hpp"

namespace tokometer::bench {
namespace {

constexpr int64_t kSampleEveryNs = 1'000'000'000;

void set_option(int fd, int level, int name, int value) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) give_up("setsockopt");
}

// The software stamp of the control data in wall-clock ns; 0: none.
int64_t wall_stamp_ns(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING) continue;
    scm_timestamping stamps{};
    std::memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
    return int64_t{stamps.ts[0].tv_sec} * 1'000'000'000 + stamps.ts[0].tv_nsec;
  }
  return 0;
}

}  // namespace

void give_up(const char* what) {
  std::fprintf(stderr, "rawreader: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int connect_to(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) give_up("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) give_up("fcntl");
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes.size())) give_up("send");
}

StampedReader::StampedReader() : offset_ns_(wall_offset_ns()), next_sample_ns_(now_ns() + kSampleEveryNs) {}

Arrival StampedReader::read(int fd, char* into, size_t room) {
  alignas(cmsghdr) char control[256];
  iovec part{into, room};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  Arrival arrival;
  arrival.bytes = ::recvmsg(fd, &message, 0);
  arrival.user_ns = arrival.kernel_ns = now_ns();
  if (arrival.bytes < 0 && errno != EAGAIN && errno != EINTR) give_up("recvmsg");
  if (arrival.bytes <= 0) return arrival;
  if (arrival.user_ns >= next_sample_ns_) {
    offset_ns_ = wall_offset_ns();
    next_sample_ns_ = arrival.user_ns + kSampleEveryNs;
  }
  if (const int64_t wall = wall_stamp_ns(message); wall != 0) {
    arrival.kernel_ns = wall - offset_ns_;
    arrival.has_kernel = true;
  }
  return arrival;
}

}  // namespace tokometer::bench

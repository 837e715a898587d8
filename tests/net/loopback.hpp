// A real TCP server on 127.0.0.1, port 0, that plays a script for each connection, each on a thread of its
// own; and a worker's side (io_context, poller, pool) with a handler that writes down what it is told.
// Nothing here sleeps: both sides wait for events, with a time-out only to end a test that went wrong.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "net/poller.hpp"
#include "net/pool.hpp"

namespace tokometer::testing {

inline constexpr int kSafetySeconds = 20;

// What a script wrote before it sent is the test's once it was received. A socket orders the two threads, but
// a compiler knows nothing of that, and ThreadSanitizer only where both ends are system calls it watches: a
// ring's reads are not. So both ends say it.
inline std::atomic<int> sent_by_scripts{0};
inline void tell_sent() {
  sent_by_scripts.fetch_add(1, std::memory_order_release);
}
inline void take_sent() {
  sent_by_scripts.load(std::memory_order_acquire);
}

// The server's end of one connection. Blocking.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {
    const timeval safety{kSafetySeconds, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &safety, sizeof safety);
  }
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Reads to the end of a head and of as many body bytes as it announces. "" at EOF.
  std::string request() {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      if (!read_one(head)) return {};
    }
    const size_t at = head.find("Content-Length: ");
    const size_t body = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    return head + exactly(body);
  }
  std::string head() {
    std::string head;
    while (!head.ends_with("\r\n\r\n") && read_one(head)) {
    }
    return head;
  }
  std::string exactly(size_t n) {
    std::string bytes(n, '\0');
    size_t at = 0;
    while (at < n) {
      const ssize_t got = ::recv(fd_, bytes.data() + at, n - at, 0);
      if (got <= 0) return bytes.substr(0, at);
      at += static_cast<size_t>(got);
    }
    return bytes;
  }
  void send(std::string_view bytes) {
    tell_sent();
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // Blocks until the client has closed or reset.
  void wait_for_close() {
    char bytes[4096];
    while (::recv(fd_, bytes, sizeof bytes, 0) > 0) {
    }
  }
  // Closes our half, then waits for the other: no byte that was sent is lost to a reset.
  void finish() {
    tell_sent();
    ::shutdown(fd_, SHUT_WR);
    wait_for_close();
  }
  int fd() const { return fd_; }
  void close() {
    tell_sent();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

 private:
  bool read_one(std::string& to) {
    char byte = 0;
    if (::recv(fd_, &byte, 1, 0) != 1) return false;
    to += byte;
    return true;
  }

  int fd_;
};

class Server {
 public:
  // script(peer, n): n counts the connections from 0.
  explicit Server(std::function<void(Peer&, int)> script, int receive_buffer = 0)
      : script_(std::move(script)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 512) != 0) {
      throw std::runtime_error(std::strerror(errno));
    }
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint_.length = size;
    std::memcpy(&endpoint_.address, &address, size);
    endpoint_.text = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Server() {
    ::shutdown(fd_, SHUT_RDWR);  // ends accept()
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(fd_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  int port() const { return std::stoi(endpoint_.text.substr(10)); }

 private:
  void accept_all() {
    for (int n = 0;; ++n) {
      const int fd = ::accept(fd_, nullptr, nullptr);
      if (fd < 0) return;
      threads_.emplace_back([this, fd, n] {
        Peer peer(fd);
        script_(peer, n);
      });
    }
  }

  std::function<void(Peer&, int)> script_;
  int fd_ = -1;
  Endpoint endpoint_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

// An address where nothing listens: bound, so that nobody else gets the port, but not listening.
class RefusedPort {
 public:
  RefusedPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint_.length = size;
    std::memcpy(&endpoint_.address, &address, size);
    endpoint_.text = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~RefusedPort() { ::close(fd_); }
  RefusedPort(const RefusedPort&) = delete;
  RefusedPort& operator=(const RefusedPort&) = delete;
  const Endpoint& endpoint() const { return endpoint_; }
  int fd() const { return fd_; }

 private:
  int fd_;
  Endpoint endpoint_;
};

// Writes down the callbacks. `log` holds one word each, body pieces joined.
class Recorder : public ExchangeHandler {
 public:
  void on_connecting(int64_t) override { log += "connecting "; }
  void on_securing(const ConnectionInfo&) override { log += "securing "; }
  void on_connection(const ConnectionInfo& told) override {
    info = told;
    log += "connection ";
    if (at_connection) at_connection();
  }
  void on_sent(int64_t at_ns) override {
    sent_ns = at_ns;
    log += "sent ";
  }
  void on_send_progress(int64_t, size_t left) override {
    ++progress;
    bytes_left = left;
  }
  void on_send_done(int64_t at_ns) override {
    send_done_ns = at_ns;
    log += "done ";
  }
  void on_read(const ReadStamp& stamp, size_t bytes) override {
    take_sent();
    stamps.push_back(stamp);
    read_bytes += bytes;
  }
  void on_head(const ResponseHead& head) override {
    status = head.status;
    log += "head=" + std::to_string(status) + " ";
    if (at_head) at_head();
  }
  void on_body(std::string_view piece) override {
    body += piece;
    ++pieces;
    if (at_body) at_body();
  }
  void on_read_done() override {
    ++reads_done;
    if (at_read_done) at_read_done();
  }
  void on_end(const EndInfo& told) override {
    end = told;
    ended = true;
    log += "end ";
    if (at_end) at_end();
  }
  void on_failure(const Failure& told) override {
    take_sent();
    failure = told;
    log += "failure=" + told.cls + " ";
    failed = true;
  }
  bool over() const { return ended || failed; }

  std::function<void()> at_connection, at_head, at_body, at_read_done, at_end;
  std::string log;
  std::string body;
  ConnectionInfo info;
  EndInfo end;
  Failure failure;
  std::vector<ReadStamp> stamps;
  int64_t sent_ns = kNoInstant;
  int64_t send_done_ns = kNoInstant;
  size_t read_bytes = 0;
  size_t bytes_left = 0;
  int pieces = 0;
  int progress = 0;
  int reads_done = 0;
  int status = 0;
  bool ended = false;
  bool failed = false;
};

#ifdef TOKOMETER_TEST_RING
inline constexpr bool kUseRing = true;  // where the kernel allows it; else the tests run on epoll once more
#else
inline constexpr bool kUseRing = false;
#endif

// The worker's side.
class Client {
 public:
  explicit Client(PoolOptions options) : poller(io, clock), pool(io, poller, clock, std::move(options)) {
    if (!kUseRing) return;
    if (poller.leave_context() != 0) throw std::runtime_error("no poller");
    if (const auto used = poller.use_ring(); !used) MESSAGE("on epoll: " << used.error().message);
  }
  explicit Client(const Endpoint& endpoint) : Client(PoolOptions{.endpoints = {endpoint}}) {}

  // Runs the loop until it is so. False: the safety time-out struck.
  template <class Condition>
  [[nodiscard]] bool run_until(Condition condition) {
    const int64_t deadline_ns = clock.now_ns() + int64_t{kSafetySeconds} * 1'000'000'000;
    while (!condition()) {
      const int64_t left_ns = deadline_ns - clock.now_ns();
      if (left_ns <= 0) return false;
      if (kUseRing) {
        io.restart();  // it stops when it runs out of work
        io.poll();
        poller.wait(std::min(deadline_ns, clock.now_ns() + 5'000'000));
      } else {
        // Not longer: another thread may make the condition true, and no event tells of that.
        io.run_one_for(std::chrono::nanoseconds(std::min(left_ns, int64_t{5'000'000})));
      }
    }
    return true;
  }
  [[nodiscard]] bool finish(Recorder& handler, std::string_view request) {
    pool.start(handler, request);
    return run_until([&] { return handler.over(); });
  }

  SteadyClock clock;
  boost::asio::io_context io{1};
  Poller poller;
  Pool pool;
};

// A flag between the test and a script.
class Signal {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool is_set() {
    const std::lock_guard lock(mutex_);
    return set_;
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(kSafetySeconds), [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

}  // namespace tokometer::testing

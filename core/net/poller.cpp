#include "net/poller.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "net/ring.hpp"

namespace tokometer {

// The epoll descriptor inside the io_context.
class Poller::Waiter : public std::enable_shared_from_this<Waiter> {
 public:
  Waiter(boost::asio::io_context& io, Poller& poller) : io_(io), descriptor_(io), poller_(&poller) {}

  int open(int fd) {
    boost::system::error_code error;
    descriptor_.assign(fd, error);
    return error.value();
  }

  void wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const boost::system::error_code& error) {
                             if (!error && self->poller_ != nullptr) self->poller_->on_readable();
                           });
  }

  void post_turn() {
    boost::asio::post(io_, [self = shared_from_this()] {
      if (self->poller_ != nullptr && !self->poller_->woken_.empty()) self->poller_->turn();
    });
  }

  void retire() {
    poller_ = nullptr;
    boost::system::error_code ignored;
    descriptor_.close(ignored);
  }

  // The descriptor goes back to its owner.
  void release() {
    poller_ = nullptr;
    descriptor_.release();
  }

 private:
  boost::asio::io_context& io_;
  boost::asio::posix::stream_descriptor descriptor_;
  Poller* poller_;
};

// Ends a wait from any thread.
class Poller::Interrupter final : public Pollable {
 public:
  ~Interrupter() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  void ring() noexcept {
    const uint64_t one = 1;
    [[maybe_unused]] const auto written =
        ::write(fd_, &one, sizeof one);  // it fails only when it rings already
  }
  void on_ready(uint32_t) override {
    uint64_t rings = 0;
    [[maybe_unused]] const auto got = ::read(fd_, &rings, sizeof rings);
  }

 private:
  const int fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
};

Poller::Poller(boost::asio::io_context& io, const Clock& clock)
    : receiver_(clock),
      waiter_(std::make_shared<Waiter>(io, *this)),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_fd_ < 0) {
    error_ = errno;
    return;
  }
  error_ = waiter_->open(epoll_fd_);
  if (error_ == 0) {
    waiter_->wait();
  } else {
    ::close(std::exchange(epoll_fd_, -1));
  }
}

Poller::~Poller() {
  if (waiter_) {
    waiter_->retire();  // closes the epoll descriptor
  } else if (epoll_fd_ >= 0) {
    ::close(epoll_fd_);
  }
}

int Poller::leave_context() {
  interrupter_ =
      std::make_unique<Interrupter>();  // also where the poller is broken: interrupt() may be called
  if (error_ != 0) return error_;
  waiter_->release();
  waiter_.reset();
  if (interrupter_->fd() < 0) return error_ = errno;
  return error_ = add(interrupter_->fd(), *interrupter_, EPOLLIN);
}

Result<void> Poller::use_ring() {
  auto ring = Ring::open(epoll_fd_);
  if (!ring) return ring.errors();
  ring_ = std::move(*ring);
  return {};
}

Result<void> Poller::try_ring() {
  const auto ring = Ring::open(-1);
  return ring ? Result<void>{} : ring.errors();
}

// What the ring has read already goes before what is still in the socket.
ReceiveResult Poller::receive_out_of_turn(int fd, int64_t& known_empty_ns) {
  Arrival early{.fd = fd, .error = EAGAIN};
  if (ring_->has_nothing_for(fd) || ring_->take_early(fd, early))
    return receiver_.take(early, kNoInstant, known_empty_ns);
  return receiver_.receive(fd, known_empty_ns);
}

void Poller::interrupt() noexcept {
  interrupter_->ring();
}

int Poller::add(int fd, Pollable& pollable, uint32_t events) {
  if (error_ != 0) return error_;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &pollable;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

int Poller::add_reader(int fd, Pollable& pollable) {
  if (ring_ == nullptr) return add(fd, pollable, EPOLLIN);
  ring_->add(fd, pollable);
  return 0;
}

void Poller::modify(int fd, Pollable& pollable, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &pollable;
  [[maybe_unused]] const int result = epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  assert(result == 0);
}

void Poller::watch_writable(int fd, Pollable& pollable, bool wanted) {
  if (ring_ == nullptr) return modify(fd, pollable, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
  if (!wanted) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  } else if (const int error = add(fd, pollable, EPOLLOUT); error != 0) {
    log(LogLevel::warn, "a socket that is full cannot be watched: " + error_text(error));
  }
}

void Poller::remove(int fd, Pollable& pollable) noexcept {
  if (ring_ != nullptr && fd >= 0 && ring_->has(fd, pollable)) {
    ring_->remove(fd);
    if (arrival_.fd == fd) arrival_ = {};
  } else if (fd >= 0 && epoll_fd_ >= 0) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  }
  for (size_t i = next_event_; i < event_count_; ++i) {
    if (events_[i].data.ptr == &pollable) events_[i].data.ptr = nullptr;
  }
  std::replace(serving_.begin(), serving_.end(), &pollable, static_cast<Pollable*>(nullptr));
  std::erase(woken_, &pollable);
}

void Poller::wake(Pollable& pollable) {
  if (woken_.empty() && waiter_) waiter_->post_turn();
  woken_.push_back(&pollable);
}

void Poller::on_readable() {
  turn();
  waiter_->wait();
}

size_t Poller::wait(int64_t until_ns) {
  const int64_t now_ns = receiver_.now_ns();
  const bool is_idle = woken_.empty() && (ring_ == nullptr || !ring_->has_unserved());
  const int64_t timeout_ns = is_idle && until_ns > now_ns ? until_ns - now_ns : 0;
  if (error_ != 0 && timeout_ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(timeout_ns));
  return turn(timeout_ns);
}

// epoll_wait with a time-out in nanoseconds, which some containers forbid and kernels before 5.11 lack.
int Poller::poll(int64_t timeout_ns) {
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  constexpr int kMost = static_cast<int>(kEventsPerTurn);
  if (timeout_ns > 0) {
    const int count = epoll_pwait2(epoll_fd_, events_.data(), kMost, &timeout, nullptr);
    if (count >= 0 || errno == EINTR) return count;
    pollfd ready{epoll_fd_, POLLIN, 0};
    ::ppoll(&ready, 1, &timeout, nullptr);
  }
  return epoll_wait(epoll_fd_, events_.data(), kMost, 0);
}

size_t Poller::turn(int64_t timeout_ns) {
  assert(!in_turn_);
  if (error_ != 0) return serve_wakes();
  in_turn_ = true;
  const size_t woken = serve_wakes();
  if (!poll_was_cut_) {
    full_poll_ = poll_;
    full_poll_ns_ = poll_ns_;
  }
  ++poll_;
  poll_ns_ = receiver_.now_ns();
  waited_ = timeout_ns > 0;
  const size_t served = ring_ == nullptr ? serve_set(timeout_ns) : serve_ring(timeout_ns);
  in_turn_ = false;
  return woken + served;
}

size_t Poller::serve_set(int64_t timeout_ns) {
  const int count = poll(timeout_ns);
  if (waited_)
    receiver_.now_ns();  // the receiver takes the last look at the clock for a time before its reads
  // A poll that failed saw nothing, so it proves nothing about the sockets.
  poll_was_cut_ = count < 0 || count == static_cast<int>(kEventsPerTurn);
  event_count_ = count > 0 ? static_cast<size_t>(count) : 0;
  return serve_events();
}

size_t Poller::serve_ring(int64_t timeout_ns) {
  ring_->wait(timeout_ns);
  if (waited_) receiver_.now_ns();
  size_t served = 0;
  while (served < kEventsPerTurn) {
    Pollable* const reader = ring_->next(arrival_);
    if (reader == nullptr) break;
    ++served;
    reader->on_ready(EPOLLIN);
    arrival_ = {};
  }
  poll_was_cut_ = !ring_->has_seen_all();
  if (ring_->epoll_is_ready()) {
    event_count_ = static_cast<size_t>(std::max(0, poll(0)));
    served += serve_events();
  }
  return served;
}

size_t Poller::serve_wakes() {
  serving_.swap(woken_);
  size_t served = 0;
  for (size_t i = 0; i < serving_.size(); ++i) {
    Pollable* pollable = std::exchange(serving_[i], nullptr);
    if (pollable == nullptr) continue;
    pollable->on_ready(0);
    ++served;
  }
  serving_.clear();
  return served;
}

size_t Poller::serve_events() {
  for (next_event_ = 0; next_event_ < event_count_;) {
    const epoll_event event = events_[next_event_++];
    if (event.data.ptr != nullptr) static_cast<Pollable*>(event.data.ptr)->on_ready(event.events);
  }
  const size_t served = event_count_;
  next_event_ = event_count_ = 0;
  return served;
}

int64_t Poller::unreported_since_ns(uint64_t reported_in_poll) const noexcept {
  return full_poll_ > reported_in_poll ? full_poll_ns_ : kNoInstant;
}

}  // namespace tokometer

// The sockets of one worker in an epoll set of our own (level-triggered), nested in the worker's io_context as one
// descriptor: one epoll_wait and one receive call per readable socket, without Asio's cost per operation.
// Lives on the worker's thread; must outlive every pool that uses it, and die before the io_context.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/clock.hpp"
#include "net/socket.hpp"

namespace tokometer {

// Something with a descriptor in the set.
class Pollable {
 public:
  // events: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. May add and remove any pollable, itself too.
  virtual void on_ready(uint32_t events) = 0;

 protected:
  ~Pollable() = default;
};

class Poller {
 public:
  static constexpr size_t kEventsPerTurn = 256;  // bounds a turn, so that due sends are not held up

  // Throws std::system_error when no descriptor is left for the epoll set: made before the run starts.
  Poller(boost::asio::io_context& io, const Clock& clock);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Returns 0 or errno. The pollable must be removed before it dies and before its fd is closed.
  int add(int fd, Pollable& pollable, uint32_t events);
  void modify(int fd, Pollable& pollable, uint32_t events);
  void remove(int fd, Pollable& pollable) noexcept;  // no event that was already fetched reaches it any more

  // Serves at most kEventsPerTurn ready sockets now and returns how many. The io_context calls this by itself; a worker
  // that spins for a due send calls it directly. Not from inside on_ready.
  size_t turn();

  // The last instant at which a poll saw all sockets and did not report the one whose last report was
  // `reported_in_poll` (0: none yet); kNoInstant if there was none since.
  int64_t unreported_since_ns(uint64_t reported_in_poll) const noexcept;
  uint64_t current_poll() const noexcept { return poll_; }  // serial of the poll whose events are being served

  Receiver& receiver() noexcept { return receiver_; }

 private:
  class Waiter;  // the epoll descriptor inside the io_context
  void on_readable();

  Receiver receiver_;
  std::unique_ptr<Waiter> waiter_;
  int epoll_fd_ = -1;
  std::array<epoll_event, kEventsPerTurn> events_{};
  size_t next_event_ = 0, event_count_ = 0;  // those of the current turn not served yet
  uint64_t poll_ = 0;
  int64_t poll_ns_ = kNoInstant;             // when the current poll began
  bool poll_was_cut_ = false;
  uint64_t full_poll_ = 0;                   // the last poll before the current one that was not cut
  int64_t full_poll_ns_ = kNoInstant;
};

}  // namespace tokometer

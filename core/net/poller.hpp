// The sockets of one thread in an epoll set of our own (level-triggered): one epoll_wait and one receive call
// per readable socket, without Asio's cost per operation. Either the set is nested in an io_context as one
// descriptor, or its owner drives it by wait(). Then an io_uring may do the reads: one call for all of them.
// Lives on one thread; must outlive every pool that uses it, and die before the io_context.
#pragma once

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "net/socket.hpp"

namespace tokometer {

class Ring;

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

  // Keeps io.run() from returning while it lives. If the host has no descriptor left, every add() says so.
  Poller(boost::asio::io_context& io, const Clock& clock);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Returns 0 or errno. The pollable must be removed before it dies and before its fd is closed.
  int add(int fd, Pollable& pollable, uint32_t events);
  void modify(int fd, Pollable& pollable, uint32_t events);
  // A connected socket: on_ready(EPOLLIN) asks for one receive(). Returns 0 or errno.
  int add_reader(int fd, Pollable& pollable);
  void watch_writable(int fd, Pollable& pollable, bool wanted);  // of a reader
  // No event and no wake() that was already under way reaches the pollable any more. fd -1: it had none.
  void remove(int fd, Pollable& pollable) noexcept;
  // on_ready(0) follows on the next turn: for what may not happen inside the caller's own call.
  void wake(Pollable& pollable);

  // Serves all wakes and at most kEventsPerTurn ready sockets now and returns how many. The io_context calls
  // this by itself; so may the owner. Not from inside on_ready.
  size_t turn() { return turn(0); }

  // From now on only the owner drives the poller. A lone read is then one wait and one receive; through the
  // io_context it is two waits, a receive, and one call to arm the descriptor again. Returns 0 or errno.
  int leave_context();
  // [after leave_context()] Like turn(), but waits until something is ready, `until_ns`, or interrupt().
  size_t wait(int64_t until_ns);
  // [after leave_context(), before the first reader, on the thread that will wait] Reads are done by an
  // io_uring from now on. The error is a phrase; reads then stay with epoll.
  Result<void> use_ring();
  static Result<void> try_ring();  // whether it would work, on this thread
  void interrupt() noexcept;       // any thread: the wait under way, or else the next one, ends at once

  // One read of a reader's socket: what the ring has read, or a recvmsg. known_empty_ns as of
  // Receiver::receive().
  ReceiveResult receive(int fd, int64_t& known_empty_ns) {
    if (arrival_.fd == fd) return receiver_.take(std::exchange(arrival_, {}), kNoInstant, known_empty_ns);
    return ring_ == nullptr ? receiver_.receive(fd, known_empty_ns) : receive_out_of_turn(fd, known_empty_ns);
  }

  // A read has its stamp. In the first read after a wait it is the instant that ended the wait, at which the
  // sockets that were not reported were still empty.
  void on_stamp(int64_t at_ns) noexcept {
    if (std::exchange(waited_, false)) poll_ns_ = std::max(poll_ns_, at_ns);
  }

  // When the last poll began that saw all sockets and was later than `reported_in_poll`, not counting the
  // current one; kNoInstant if there was none. A socket that was last reported in that poll held nothing at
  // this instant.
  int64_t unreported_since_ns(uint64_t reported_in_poll) const noexcept;
  uint64_t current_poll() const noexcept {
    return poll_;
  }  // serial of the poll whose events are being served

  Receiver& receiver() noexcept { return receiver_; }

 private:
  class Waiter;
  class Interrupter;
  size_t turn(int64_t timeout_ns);
  int poll(int64_t timeout_ns);
  void on_readable();
  size_t serve_wakes();
  ReceiveResult receive_out_of_turn(int fd, int64_t& known_empty_ns);
  size_t serve_set(int64_t timeout_ns);
  size_t serve_ring(int64_t timeout_ns);
  size_t serve_events();

  Receiver receiver_;
  // Shared with the handlers that wait inside the io_context: these may be destroyed after the poller.
  std::shared_ptr<Waiter> waiter_;
  std::unique_ptr<Interrupter> interrupter_;
  std::unique_ptr<Ring> ring_;
  Arrival arrival_;  // that is being served
  int epoll_fd_ = -1;
  int error_ = 0;
  bool in_turn_ = false;
  std::array<epoll_event, kEventsPerTurn> events_{};
  size_t next_event_ = 0;  // events_ from here to event_count_ are still to be served
  size_t event_count_ = 0;
  std::vector<Pollable*> woken_;    // for the next turn
  std::vector<Pollable*> serving_;  // of this turn
  uint64_t poll_ = 0;
  int64_t poll_ns_ = kNoInstant;  // when the current poll began
  bool poll_was_cut_ = true;
  bool waited_ = false;     // the current poll may have waited, and no read of it has been seen
  uint64_t full_poll_ = 0;  // the last poll before the current one that was not cut by the event limit
  int64_t full_poll_ns_ = kNoInstant;
};

}  // namespace tokometer

// The one loop of the simulator: an epoll set, a timer heap with nanosecond due times, and the wait for
// whichever comes first. Sleeping is by timerfd with the smallest timer slack (some 50 us late on a VM);
// `busy` never sleeps. Due things go before readable sockets. Single thread, no allocation once the heap is
// warm.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"

namespace tokometer::sim {

// Something due: what it means is up to the owner. `slot` and `serial` say for whom; stale ones are ignored
// there.
struct Wake {
  enum class Kind : uint32_t { token, comment, enter_engine, end_step, script, reset, accept, quit };
  int64_t due_ns = 0;
  uint64_t order = 0;  // equal due times leave in the order in which they were pushed
  Kind kind = Kind::token;
  uint32_t slot = 0, serial = 0;
};

class EventLoop {
 public:
  static Result<EventLoop> create(bool busy);

  bool watch(int fd, uint64_t tag, uint32_t events);  // false: the fd cannot be watched
  void change(int fd, uint64_t tag, uint32_t events);
  void forget(int fd);  // before it is closed

  void push(int64_t due_ns, Wake::Kind kind, uint32_t slot, uint32_t serial);
  // The earliest wake if it is due.
  std::optional<Wake> pop_due(int64_t now_ns);
  std::optional<int64_t> next_due() const;

  // Waits until a socket is ready or next_due() or until_ns is reached. The events are valid until the next
  // call.
  std::span<const epoll_event> wait(int64_t now_ns, int64_t until_ns);

 private:
  EventLoop(Descriptor epoll, Descriptor timer, bool busy);

  Descriptor epoll_, timer_;
  bool busy_;
  int64_t armed_for_ns_ = 0;
  uint64_t pushed_ = 0;
  std::vector<Wake> heap_;
  std::vector<epoll_event> events_;
};

}  // namespace tokometer::sim

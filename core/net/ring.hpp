// Reads of many sockets through io_uring: each socket has one multishot recvmsg in the kernel, whose bytes
// and stamps land in buffers of the ring. One system call waits for and does all reads that are due, where
// epoll takes one for the wait and one for each read. Needs Linux 6.1; containers often forbid it. Owned by a
// Poller. Lives on the thread that opened it; sockets are closed without a word to it only after remove().
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "net/socket.hpp"

namespace tokometer {

class Pollable;

class Ring {
 public:
  // epoll_fd: a set that is waited for beside the reads; outlives the ring. The error is a phrase.
  static Result<std::unique_ptr<Ring>> open(int epoll_fd);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Reads of fd are the reader's from now on, until remove().
  void add(int fd, Pollable& reader);
  bool has(int fd, const Pollable& reader) const noexcept;
  void remove(int fd) noexcept;

  // Waits for reads or the epoll set, at most timeout_ns, and fetches all that came.
  void wait(int64_t timeout_ns);
  bool epoll_is_ready() const noexcept { return epoll_ready_; }  // as the last wait saw it

  bool has_unserved() const noexcept { return at_ < fetched_.size(); }
  // The next of the fetched reads, and whose it is. Its bytes live until the next call. Null: all are served.
  Pollable* next(Arrival& arrival);
  // Since the last wait began all that came was fetched and served: other sockets were empty then.
  bool has_seen_all() const noexcept { return !missed_ && !has_unserved(); }

  // Fetches what is due meanwhile. True: for sure there is nothing for fd. False: perhaps there is.
  bool has_nothing_for(int fd);
  // A fetched read of fd that next() has not given yet, out of turn; its bytes live until next() comes to it.
  // False: there is none.
  bool take_early(int fd, Arrival& arrival);

 private:
  static constexpr unsigned kBuffers = 512;  // a power of two
  static constexpr unsigned kBufferBytes = 4096;

  struct Reader {
    Pollable* pollable = nullptr;
    uint32_t generation = 0;  // of the reads that belong to it: those of a former owner of fd are dropped
    uint32_t unserved = 0;
    bool armed = false;  // the kernel has its read, or will with the next call
  };
  struct Completion {
    int fd;
    uint32_t generation;
    int result;
    uint32_t flags;
    bool served;
  };

  Ring() = default;
  io_uring_sqe& entry();
  void arm(int fd);
  void arm_epoll();
  void fetch();
  bool is_current(const Completion& completion) const noexcept;
  Arrival serve(Completion& completion);
  Arrival arrival_of(const Completion& completion) noexcept;
  bool reads_are_due() const noexcept;
  void recycle(const Completion& completion) noexcept;
  char* buffer(unsigned id) noexcept {
    return buffers_.get() + size_t{id} * (kBufferBytes + Receiver::kSpareBytes);
  }

  io_uring ring_{};
  bool is_open_ = false;
  bool missed_ = false;  // a socket was not read though it may hold bytes
  int epoll_fd_ = -1;
  bool epoll_armed_ = false, epoll_ready_ = false;
  io_uring_buf_ring* shared_ = nullptr;  // the buffers that the kernel may fill
  size_t shared_bytes_ = 0;
  std::unique_ptr<char[]> buffers_;
  msghdr form_{};                // how much room each buffer leaves for stamps
  std::vector<Reader> readers_;  // by fd
  std::vector<Completion> fetched_;
  size_t at_ = 0;  // in fetched_: the next one
};

}  // namespace tokometer

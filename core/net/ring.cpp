#include "net/ring.hpp"

#include <linux/errqueue.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace tokometer {
namespace {

constexpr unsigned kEntries = 1024;
constexpr unsigned kCallsPerTurn = 16;  // bounds a turn, so that due sends are not held up
constexpr uint64_t kEpoll = ~uint64_t{0};
constexpr uint64_t kCancel = kEpoll - 1;
constexpr size_t kControlBytes = CMSG_SPACE(sizeof(scm_timestamping)) + CMSG_SPACE(sizeof(timespec));

uint64_t tag(int fd, uint32_t generation) {
  return uint64_t{generation} << 32u | static_cast<uint32_t>(fd);
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::open(int epoll_fd) {
  std::unique_ptr<Ring> ring(new Ring);
  ring->epoll_fd_ = epoll_fd;
  io_uring_params params{};
  // One thread submits, and the kernel reads when that thread asks for completions: never in between.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                 IORING_SETUP_CQSIZE;
  params.cq_entries = 8 * kEntries;
  const int error = io_uring_queue_init_params(kEntries, &ring->ring_, &params);
  if (error == -EINVAL) return Error{"the kernel is older than 6.1"};
  if (error < 0) return Error{"the kernel refuses it: " + error_text(-error)};
  ring->is_open_ = true;

  ring->shared_bytes_ = kBuffers * sizeof(io_uring_buf);
  void* const shared =
      ::mmap(nullptr, ring->shared_bytes_, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (shared == MAP_FAILED) return Error{"no memory for its buffers: " + error_text(errno)};
  ring->shared_ = static_cast<io_uring_buf_ring*>(shared);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(shared);
  registration.ring_entries = kBuffers;
  if (const int refused = io_uring_register_buf_ring(&ring->ring_, &registration, 0); refused != 0) {
    return Error{"the kernel refuses its buffers: " + error_text(-refused)};
  }
  ring->buffers_ = std::make_unique<char[]>(size_t{kBuffers} * (kBufferBytes + Receiver::kSpareBytes));
  for (unsigned id = 0; id < kBuffers; ++id) {
    io_uring_buf_ring_add(ring->shared_, ring->buffer(id), kBufferBytes, static_cast<uint16_t>(id),
                          io_uring_buf_ring_mask(kBuffers), static_cast<int>(id));
  }
  io_uring_buf_ring_advance(ring->shared_, kBuffers);
  ring->form_.msg_controllen = kControlBytes;
  return ring;
}

Ring::~Ring() {
  if (is_open_) io_uring_queue_exit(&ring_);
  if (shared_ != nullptr) ::munmap(shared_, shared_bytes_);
}

// Room for one more order to the kernel.
io_uring_sqe& Ring::entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  for (; entry == nullptr; entry = io_uring_get_sqe(&ring_)) io_uring_submit_and_get_events(&ring_);
  return *entry;
}

void Ring::add(int fd, Pollable& reader) {
  const auto at = static_cast<size_t>(fd);
  if (at >= readers_.size()) readers_.resize(at + 1);
  readers_[at].pollable = &reader;
  ++readers_[at].generation;
  readers_[at].unserved = 0;
  arm(fd);
}

bool Ring::has(int fd, const Pollable& reader) const noexcept {
  const auto at = static_cast<size_t>(fd);
  return at < readers_.size() && readers_[at].pollable == &reader;
}

// At once: until it is cancelled, the read holds the socket open. On another thread than the ring's, when all
// is over, the kernel refuses; the read ends with the ring then.
void Ring::remove(int fd) noexcept {
  Reader& reader = readers_[static_cast<size_t>(fd)];
  reader.pollable = nullptr;
  io_uring_sqe* cancel = io_uring_get_sqe(&ring_);
  if (cancel == nullptr) {
    io_uring_submit_and_get_events(&ring_);
    cancel = io_uring_get_sqe(&ring_);
  }
  if (cancel != nullptr) {
    io_uring_prep_cancel64(cancel, tag(fd, reader.generation), 0);
    cancel->user_data = kCancel;
  }
  io_uring_submit_and_get_events(&ring_);
}

void Ring::arm(int fd) {
  io_uring_sqe& read = entry();
  io_uring_prep_recvmsg_multishot(&read, fd, &form_, 0);
  read.flags |= IOSQE_BUFFER_SELECT;
  read.buf_group = 0;
  Reader& reader = readers_[static_cast<size_t>(fd)];
  read.user_data = tag(fd, reader.generation);
  reader.armed = true;
}

// Armed once for each time: the next one looks by itself whether something in the set was left over.
void Ring::arm_epoll() {
  io_uring_sqe& wait = entry();
  io_uring_prep_poll_add(&wait, epoll_fd_, POLLIN);
  wait.user_data = kEpoll;
  epoll_armed_ = true;
}

// Reads that the kernel will do when it is asked next.
bool Ring::reads_are_due() const noexcept {
  return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void Ring::wait(int64_t timeout_ns) {
  epoll_ready_ = false;
  if (!epoll_armed_) arm_epoll();
  int result = 0;
  if (timeout_ns > 0) {
    __kernel_timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
    io_uring_cqe* first = nullptr;
    result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
  } else if (io_uring_sq_ready(&ring_) > 0 || reads_are_due()) {
    result = io_uring_submit_and_get_events(&ring_);
  }
  // What was missed since the last wait is read again only when it is served.
  missed_ = (missed_ && has_unserved()) || (result < 0 && result != -ETIME);
  fetch();
  // The kernel does some twenty reads a call.
  for (unsigned call = 0; reads_are_due() && call < kCallsPerTurn; ++call) {
    io_uring_get_events(&ring_);
    fetch();
  }
  if (reads_are_due()) missed_ = true;
}

bool Ring::has_nothing_for(int fd) {
  if (io_uring_sq_ready(&ring_) > 0 || reads_are_due()) io_uring_submit_and_get_events(&ring_);
  if (io_uring_cq_ready(&ring_) > 0) fetch();
  const auto at = static_cast<size_t>(fd);
  return at < readers_.size() && readers_[at].armed && readers_[at].unserved == 0 && !reads_are_due();
}

void Ring::fetch() {
  unsigned head = 0, seen = 0;
  io_uring_cqe* done = nullptr;
  io_uring_for_each_cqe(&ring_, head, done) {
    ++seen;
    if (done->user_data == kCancel) continue;
    if (done->user_data == kEpoll) {
      epoll_ready_ = true;
      epoll_armed_ = false;
      continue;
    }
    const Completion completion{static_cast<int>(done->user_data & 0xffffffffu),
                                static_cast<uint32_t>(done->user_data >> 32u), done->res, done->flags, false};
    if (is_current(completion)) {
      Reader& reader = readers_[static_cast<size_t>(completion.fd)];
      ++reader.unserved;
      reader.armed = (completion.flags & IORING_CQE_F_MORE) != 0;
    }
    if (completion.result == -ENOBUFS) missed_ = true;
    fetched_.push_back(completion);
  }
  io_uring_cq_advance(&ring_, seen);
}

bool Ring::is_current(const Completion& completion) const noexcept {
  const Reader& reader = readers_[static_cast<size_t>(completion.fd)];
  return reader.pollable != nullptr && reader.generation == completion.generation;
}

Arrival Ring::arrival_of(const Completion& completion) noexcept {
  Arrival arrival;
  arrival.fd = completion.fd;
  if (completion.result < 0) {
    arrival.error = -completion.result;
    return arrival;
  }
  char* const data = buffer(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  io_uring_recvmsg_out* const out = io_uring_recvmsg_validate(data, completion.result, &form_);
  if (out == nullptr) {
    arrival.error = EPROTO;
    return arrival;
  }
  const unsigned size = io_uring_recvmsg_payload_length(out, completion.result, &form_);
  arrival.bytes = {static_cast<const char*>(io_uring_recvmsg_payload(out, &form_)), size};
  arrival.has_emptied = completion.result < static_cast<int>(kBufferBytes);
  msghdr message{};
  message.msg_control = io_uring_recvmsg_cmsg_firsthdr(out, &form_);
  message.msg_controllen = message.msg_control == nullptr ? 0 : out->controllen;
  arrival.wall_ns = wall_stamp_ns(message);
  return arrival;
}

Arrival Ring::serve(Completion& completion) {
  completion.served = true;
  --readers_[static_cast<size_t>(completion.fd)].unserved;
  const Arrival arrival = arrival_of(completion);
  const bool goes_on = (completion.flags & IORING_CQE_F_MORE) != 0;
  if (!goes_on && (completion.result == -ENOBUFS || !arrival.bytes.empty())) arm(completion.fd);
  return arrival;
}

void Ring::recycle(const Completion& completion) noexcept {
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0) return;
  const auto id = static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  io_uring_buf_ring_add(shared_, buffer(id), kBufferBytes, id, io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(shared_, 1);
}

Pollable* Ring::next(Arrival& arrival) {
  for (;;) {
    if (at_ > 0) recycle(fetched_[at_ - 1]);
    if (at_ == fetched_.size()) {
      fetched_.clear();
      at_ = 0;
      return nullptr;
    }
    Completion& completion = fetched_[at_++];
    if (completion.served || !is_current(completion)) continue;
    arrival = serve(completion);
    if (completion.result != -ENOBUFS) return readers_[static_cast<size_t>(completion.fd)].pollable;
  }
}

bool Ring::take_early(int fd, Arrival& arrival) {
  const auto at = static_cast<size_t>(fd);
  if (at >= readers_.size() || readers_[at].unserved == 0) return false;
  const auto found = std::find_if(
      fetched_.begin() + static_cast<ptrdiff_t>(at_), fetched_.end(), [&](const Completion& completion) {
        return completion.fd == fd && !completion.served && is_current(completion);
      });
  if (found == fetched_.end()) return false;
  arrival = serve(*found);
  return found->result != -ENOBUFS;
}

}  // namespace tokometer

// Non-blocking TCP: connect, send, and the one receive call of the program. Every network instant of a record
// is taken here: user stamps with the injected clock, receive stamps from the kernel (SO_TIMESTAMPING,
// software RX). One Receiver serves all sockets of a worker; nothing here is shared between threads.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "net/url.hpp"

namespace tokometer {

// "No such instant": the same value as the records' absent time.
inline constexpr int64_t kNoInstant = std::numeric_limits<int64_t>::min();

// When the bytes of one socket read arrived. All on CLOCK_MONOTONIC.
struct ReadStamp {
  int64_t at_ns = 0;    // kernel stamp of the newest segment if known, else user_ns. Never above user_ns
  int64_t user_ns = 0;  // taken after recvmsg returned; user_ns - at_ns is the client lag of this read
  int64_t empty_before_ns = 0;  // last instant at which the socket was known to hold no unread byte
  bool kernel = false;          // at_ns is a kernel stamp
  bool cut_record =
      false;  // the read ended inside a TLS record: what it completed before may have come earlier

  // How much earlier than at_ns the first byte of this read may have come (rule 6 of the clocks).
  int64_t ambiguity_ns() const noexcept { return at_ns > empty_before_ns ? at_ns - empty_before_ns : 0; }
};

// Brings the kernel's CLOCK_REALTIME stamps to CLOCK_MONOTONIC. The offset is sampled again at most each
// second, and at once when a stamp is implausible. A jump of more than 10 us is a step of the wall clock: for
// one second from its discovery no kernel stamp is trusted.
class StampConverter {
 public:
  explicit StampConverter(std::function<int64_t()> sample_offset = wall_clock_offset_ns);

  // The monotonic instant of wall_ns, at most user_ns; kNoInstant where the kernel's clock is not trusted
  // now. earliest_ns: the stamp is expected to lie after this instant, give or take a millisecond.
  int64_t to_monotonic(int64_t wall_ns, int64_t earliest_ns, int64_t user_ns);
  uint64_t clock_steps() const noexcept { return clock_steps_; }

 private:
  void sample(int64_t now_ns);

  std::function<int64_t()> sample_offset_;
  int64_t offset_ns_;
  int64_t next_sample_ns_ = kNoInstant;
  int64_t distrusted_until_ns_ = kNoInstant;
  uint64_t clock_steps_ = 0;
};

struct ReceiveCounters {
  uint64_t reads = 0;        // that returned bytes
  uint64_t user_stamps = 0;  // of these, without a trusted kernel stamp
  uint64_t bytes = 0;
};

struct ReceiveResult {
  enum class Kind {
    bytes,
    nothing,
    unreadable,  // bytes came, but they complete nothing: of TLS, as fault
    eof,
    error,
    fault,  // TLS failed: Transport::fault() says why
  };
  Kind kind = Kind::nothing;
  std::string_view
      bytes;        // in the shared buffer, kSpareBytes readable bytes follow; valid until the next receive()
  ReadStamp stamp;  // for bytes; else only user_ns is set
  int error = 0;    // errno
  Kind then = Kind::nothing;  // what is known to follow the bytes: eof or fault, of TLS
};

// What one read of a socket brought, before it has its place in time.
struct Arrival {
  int fd = -1;
  int error = 0;                 // errno
  std::string_view bytes = {};   // Receiver::kSpareBytes readable bytes follow. Empty without an error: EOF
  int64_t wall_ns = kNoInstant;  // the kernel's stamp, CLOCK_REALTIME
  bool has_emptied = false;      // the socket held no more
};

// The shared read buffer of one worker. It gives every read its stamp, and calls recvmsg for those that no
// ring does.
class Receiver {
 public:
  static constexpr size_t kBufferBytes = 64 * 1024;
  static constexpr size_t kSpareBytes = 64;  // parsers may look this far past the end

  // Also switches on the kernel's stamping: the first user on a host waits some milliseconds for it to take
  // effect.
  explicit Receiver(const Clock& clock);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // One recvmsg. known_empty_ns is the caller's memory of that socket: in, the last instant at which it was
  // known to be empty; out, the same after this read.
  ReceiveResult receive(int fd, int64_t& known_empty_ns);
  // The same of a read that was done already, not before read_after_ns (kNoInstant: not known).
  ReceiveResult take(const Arrival& arrival, int64_t read_after_ns, int64_t& known_empty_ns);

  // Reads the clock. Callers on the worker's thread use this one, so that a later receive() knows a recent
  // instant.
  int64_t now_ns() noexcept { return last_now_ns_ = clock_.now_ns(); }
  const ReceiveCounters& counters() const noexcept { return counters_; }
  uint64_t clock_steps() const noexcept { return converter_.clock_steps(); }

 private:
  Arrival read(int fd);

  const Clock& clock_;
  std::unique_ptr<char[]> buffer_;
  StampConverter converter_;
  ReceiveCounters counters_;
  int64_t last_now_ns_;
  int stamping_fd_;  // an unused socket that keeps stamping switched on between connections
};

// An open, non-blocking TCP socket. Closes on destruction. Never half-closes: some servers take that for a
// disconnect.
class Socket {
 public:
  Socket() = default;
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  // Creates the socket (TCP_NODELAY, kernel receive stamps) and starts to connect. Returns 0 when connected
  // at once, EINPROGRESS while it goes on (the fd gets writable, then ask connect_result()), or another
  // errno.
  int start_connect(const Endpoint& endpoint);
  int connect_result() const;  // 0 or the errno of the finished attempt

  // One send() with MSG_NOSIGNAL. accepted: how many bytes the kernel took (0 with EAGAIN). Returns 0 or
  // errno.
  int send(std::string_view bytes, size_t& accepted);

  // Appends to `text` what has come, up to and with the first `end` in it, and leaves the rest where it is.
  // Returns 0 when `end` was met, EAGAIN, EPIPE at the end of the stream, EMSGSIZE behind `most` bytes, or
  // errno. Not for measured traffic: these bytes have no stamp.
  int read_through(std::string_view end, size_t most, std::string& text);

  void close() noexcept;
  int fd() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// The failure class of a connect error: "client.fd" (descriptors used up), "client.port" (local ports used
// up) or "connect".
std::string_view connect_failure_class(int error) noexcept;

// The kernel's wall-clock stamp among the control messages, or kNoInstant.
int64_t wall_stamp_ns(msghdr& message);

// "Connection refused (ECONNREFUSED)".
std::string error_text(int error);

}  // namespace tokometer

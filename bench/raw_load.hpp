// The loads that the raw reader can make, all on one thread, and what it measures of them. It knows no HTTP
// and no JSON: an event is where memmem finds the simulator's stamp, a stream is over where its bytes end
// like a last chunk. So it is what the machine can do, and no client that reads responses properly can do
// much better.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "raw_schedule.hpp"
#include "raw_socket.hpp"
#include "samples.hpp"

namespace tokometer::bench {

struct LoadOptions {
  uint16_t port = 0;
  // Closed part: `streams` connections, each with one request at the start, then again until `requests` were
  // sent or `duration` seconds are over (0: no limit).
  uint64_t streams = 0;
  uint64_t requests = 0;
  double duration = 0;
  bool cut = false;  // the load ends with `duration`, in the middle of replies
  uint32_t tokens = 1;
  bool unary = false;  // not streamed: counts replies, knows no events
  // Open part, at the same time: `rate` requests a second for `seconds`, from `delay` after the start.
  double rate = 0, seconds = 0, delay = 0;
  uint32_t rate_tokens = 1;
  bool poisson = false;  // else one every 1/rate
  bool spin = false;     // poll over the last 150 us before a send, instead of a timer
  uint64_t seed = 1;
  double timeout = 120;       // seconds for all of it
  double from = 0, to = 1e6;  // seconds since the start: the window of the rates
  bool samples = true;        // false: counts only, so that memory says something
};

// Counters at one instant of the load.
struct Progress {
  int64_t at_ns = 0;
  uint64_t requests = 0, events = 0, reads = 0;
  double cpu_s = 0;
};

struct LoadResult {
  uint64_t requests = 0, events = 0, reads = 0, coalesced_events = 0, user_stamps = 0, bytes = 0, waits = 0;
  uint64_t lost_events = 0;  // gaps in the numbers that the simulator gives to the events of a stream
  Progress start, window_begin, window_end, stop;  // start: after connecting; the window as it really was
  Samples kernel_error, user_error, lag;  // arrival - stamp of each event; user - kernel stamp of each read
  Samples ttft, true_ttft, itl, true_itl, e2e;  // true: with the simulator's stamps
  Samples lateness;                             // open part: sent - scheduled
};

class RawLoad {
 public:
  explicit RawLoad(const LoadOptions& options);
  ~RawLoad();
  RawLoad(const RawLoad&) = delete;
  RawLoad& operator=(const RawLoad&) = delete;

  LoadResult run();

 private:
  static constexpr size_t kBufferBytes = size_t{64} * 1024, kCarryBytes = 38;
  struct Connection {
    int fd = -1;
    bool open_part = false, busy = false;
    uint8_t carried = 0;
    uint32_t events = 0;
    int64_t left = -1;  // of a unary reply; -1: its head has not come
    int64_t sent_ns = 0, last_ns = 0, last_true_ns = 0;
    std::array<char, kCarryBytes> carry;
  };

  Connection& connect(bool open_part);
  void send(Connection& connection, std::string_view request);
  Connection& take_idle();
  void reserve_samples();
  void start_streams();
  void send_due();
  void wait_and_read();
  int64_t nanoseconds_to_wait() const;
  void on_readable(Connection& connection);
  void on_closed(Connection& connection);
  void scan(Connection& connection, const char* at, const char* end, const Arrival& arrival);
  void on_event(Connection& connection, const char* stamp, const Arrival& arrival, bool first_of_read);
  void take_unary(Connection& connection, const char* at, const char* end, const Arrival& arrival);
  void finish(Connection& connection, int64_t at_ns);
  bool may_send_again() const { return !stopped_ && closed_sent_ < options_.requests; }
  bool is_over() const {
    if (stopped_ && options_.cut) return true;
    return schedule_.due_ns() == RawSchedule::kNever && !may_send_again() && result_.requests == sent_;
  }
  Progress progress() const;
  void watch_clock();

  const LoadOptions options_;
  const std::string request_, open_request_;
  StampedReader reader_;
  std::deque<Connection> connections_;
  std::vector<Connection*> idle_;  // of the open part, last used first
  std::vector<char> buffer_;
  RawSchedule schedule_;
  int epoll_ = -1;
  int64_t begin_ns_ = 0;
  uint64_t closed_sent_ = 0, sent_ = 0;
  bool stopped_ = false;
  LoadResult result_;
};

}  // namespace tokometer::bench

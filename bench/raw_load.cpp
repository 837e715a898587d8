#include "raw_load.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "machine_clock.hpp"

namespace tokometer::bench {
namespace {

constexpr std::string_view kStamp = "\"tkm\":\"", kLastChunk = "\r\n0\r\n\r\n", kLength = "content-length: ";
constexpr size_t kStampDigits = 32, kTimeDigits = 16, kSequenceAt = 24;
constexpr int64_t kSecondNs = 1'000'000'000, kLongestWaitNs = 100'000'000, kSpinNs = 150'000;
constexpr int64_t kSettleNs =
    20'000'000;  // the first stamped socket of a host takes some milliseconds to take effect
constexpr int kReadsATurn = 256;
constexpr uint64_t kMostReserved = 4'000'000;

std::string make_request(const LoadOptions& options, uint32_t tokens) {
  std::string body =
      R"({"model":"sim-model","messages":[{"role":"user","content":"one two three four five six seven )"
      R"(eight"}],"max_completion_tokens":)" +
      std::to_string(tokens);
  if (!options.unary) body += R"(,"stream":true,"stream_options":{"include_usage":true})";
  body += "}";
  return "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:" + std::to_string(options.port) +
         "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

const char* find(const char* at, const char* end, std::string_view what) {
  return static_cast<const char*>(::memmem(at, static_cast<size_t>(end - at), what.data(), what.size()));
}

template <class Number>
Number read_number(const char* digits, size_t count, int base) {
  Number value = 0;
  std::from_chars(digits, digits + count, value, base);
  return value;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

RawLoad::RawLoad(const LoadOptions& options)
    : options_(options),
      request_(make_request(options, options.tokens)),
      open_request_(make_request(options, options.rate_tokens)),
      buffer_(kBufferBytes + kCarryBytes),
      schedule_({options.rate, options.seconds, options.delay, options.poisson, options.seed}),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) give_up("epoll_create1");
}

RawLoad::~RawLoad() {
  for (const Connection& connection : connections_) {
    if (connection.fd >= 0) ::close(connection.fd);
  }
  ::close(epoll_);
}

RawLoad::Connection& RawLoad::connect(bool open_part) {
  Connection& connection = connections_.emplace_back();
  connection.fd = connect_to(options_.port);
  connection.open_part = open_part;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) give_up("epoll_ctl");
  return connection;
}

LoadResult RawLoad::run() {
  for (uint64_t i = 0; i < options_.streams; ++i) connect(false);
  if (options_.rate > 0) idle_.push_back(&connect(true));
  const timespec settle{0, kSettleNs};
  ::nanosleep(&settle, nullptr);
  reserve_samples();
  result_.start = progress();
  begin_ns_ = result_.start.at_ns;
  schedule_.begin(begin_ns_);
  start_streams();
  while (!is_over()) {
    send_due();
    wait_and_read();
    watch_clock();
  }
  result_.stop = progress();
  if (result_.window_begin.at_ns == 0) result_.window_begin = result_.start;
  if (result_.window_end.at_ns == 0) result_.window_end = result_.stop;
  return std::move(result_);
}

void RawLoad::reserve_samples() {
  const uint64_t events =
      std::min(std::min(options_.requests, kMostReserved) * options_.tokens, kMostReserved);
  for (Samples* samples :
       {&result_.kernel_error, &result_.user_error, &result_.lag, &result_.itl, &result_.true_itl}) {
    if (options_.samples && !options_.unary) samples->reserve(events);
  }
}

Progress RawLoad::progress() const {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  return {now_ns(), result_.requests, result_.events, result_.reads,
          seconds_of(use.ru_utime) + seconds_of(use.ru_stime)};
}

void RawLoad::watch_clock() {
  const double since = static_cast<double>(now_ns() - begin_ns_) / 1e9;
  if (since >= options_.from && result_.window_begin.at_ns == 0) result_.window_begin = progress();
  if (since >= options_.to && result_.window_end.at_ns == 0) result_.window_end = progress();
  if (options_.duration > 0 && since >= options_.duration) stopped_ = true;
  if (since < options_.timeout) return;
  errno = ETIMEDOUT;
  give_up("the load did not end");
}

void RawLoad::start_streams() {
  for (Connection& connection : connections_) {
    if (connection.open_part || !may_send_again()) continue;
    ++closed_sent_;
    send(connection, request_);
  }
}

void RawLoad::send(Connection& connection, std::string_view request) {
  connection.busy = true;
  connection.events = 0;
  connection.left = -1;
  connection.carried = 0;
  connection.sent_ns = now_ns();
  send_all(connection.fd, request);
  ++sent_;
}

RawLoad::Connection& RawLoad::take_idle() {
  while (!idle_.empty()) {
    Connection& connection = *idle_.back();
    idle_.pop_back();
    if (connection.fd >= 0) return connection;  // else the server has closed it meanwhile
  }
  return connect(true);
}

void RawLoad::send_due() {
  while (schedule_.due_ns() <= now_ns()) {
    const int64_t due = schedule_.due_ns();
    schedule_.advance();
    Connection& connection = take_idle();
    send(connection, open_request_);
    if (options_.samples) result_.lateness.add(connection.sent_ns - due);
  }
}

int64_t RawLoad::nanoseconds_to_wait() const {
  if (schedule_.due_ns() == RawSchedule::kNever) return kLongestWaitNs;
  const int64_t early = options_.spin ? kSpinNs : 0;
  return std::clamp<int64_t>(schedule_.due_ns() - now_ns() - early, 0, kLongestWaitNs);
}

void RawLoad::wait_and_read() {
  std::array<epoll_event, kReadsATurn> events;
  const int64_t wait_ns = nanoseconds_to_wait();
  const timespec timeout{wait_ns / kSecondNs, wait_ns % kSecondNs};
  const int count = ::epoll_pwait2(epoll_, events.data(), kReadsATurn, &timeout, nullptr);
  if (count < 0 && errno != EINTR) give_up("epoll_pwait2");
  ++result_.waits;
  for (int i = 0; i < count; ++i)
    on_readable(*static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr));
}

void RawLoad::on_readable(Connection& connection) {
  std::memcpy(buffer_.data(), connection.carry.data(), connection.carried);
  const Arrival arrival = reader_.read(connection.fd, buffer_.data() + connection.carried, kBufferBytes);
  if (arrival.bytes < 0) return;
  if (arrival.bytes == 0) return on_closed(connection);
  ++result_.reads;
  result_.user_stamps += arrival.has_kernel ? 0 : 1;
  result_.bytes += static_cast<uint64_t>(arrival.bytes);
  if (options_.samples) result_.lag.add(arrival.user_ns - arrival.kernel_ns);
  const char* end = buffer_.data() + connection.carried + arrival.bytes;
  if (options_.unary) return take_unary(connection, buffer_.data(), end, arrival);
  scan(connection, buffer_.data(), end, arrival);
}

void RawLoad::on_closed(Connection& connection) {
  if (connection.busy) {
    errno = ECONNRESET;
    give_up("the server closed a connection in the middle of a reply");
  }
  ::close(connection.fd);
  connection.fd = -1;
}

void RawLoad::scan(Connection& connection, const char* at, const char* end, const Arrival& arrival) {
  const char* begin = at;
  bool first = true;
  while (const char* found = find(at, end, kStamp)) {
    at = found;
    if (static_cast<size_t>(end - found) < kStamp.size() + kStampDigits) break;
    on_event(connection, found + kStamp.size(), arrival, first);
    first = false;
    at = found + kStamp.size() + kStampDigits;
  }
  const bool over = std::string_view(begin, static_cast<size_t>(end - begin)).ends_with(kLastChunk);
  const size_t keep = std::min(static_cast<size_t>(end - at), kCarryBytes);
  std::memcpy(connection.carry.data(), end - keep, keep);
  connection.carried = static_cast<uint8_t>(keep);
  if (over) finish(connection, arrival.kernel_ns);
}

void RawLoad::on_event(Connection& connection, const char* stamp, const Arrival& arrival,
                       bool first_of_read) {
  const auto true_ns = read_number<int64_t>(stamp, kTimeDigits, 16);
  const auto sequence = read_number<uint32_t>(stamp + kSequenceAt, kStampDigits - kSequenceAt, 16);
  if (sequence != connection.events) ++result_.lost_events;
  ++result_.events;
  result_.coalesced_events += first_of_read ? 0 : 1;
  if (options_.samples) {
    result_.kernel_error.add(arrival.kernel_ns - true_ns);
    result_.user_error.add(arrival.user_ns - true_ns);
    if (connection.events == 0) {
      result_.ttft.add(arrival.kernel_ns - connection.sent_ns);
      result_.true_ttft.add(true_ns - connection.sent_ns);
    } else {
      if (first_of_read) result_.itl.add(arrival.kernel_ns - connection.last_ns);
      result_.true_itl.add(true_ns - connection.last_true_ns);
    }
  }
  ++connection.events;
  connection.last_ns = arrival.kernel_ns;
  connection.last_true_ns = true_ns;
}

// The simulator sends head and body of a short reply at once.
void RawLoad::take_unary(Connection& connection, const char* at, const char* end, const Arrival& arrival) {
  if (connection.left < 0) {
    const char* length = find(at, end, kLength);
    const char* body = find(at, end, "\r\n\r\n");
    if (length == nullptr || body == nullptr) {
      errno = EPROTO;
      give_up("the head of a reply came in parts");
    }
    connection.left = std::atoll(length + kLength.size());
    at = body + 4;
  }
  connection.left -= end - at;
  if (connection.left <= 0) finish(connection, arrival.kernel_ns);
}

void RawLoad::finish(Connection& connection, int64_t at_ns) {
  connection.busy = false;
  ++result_.requests;
  if (options_.samples) result_.e2e.add(at_ns - connection.sent_ns);
  if (connection.open_part) {
    idle_.push_back(&connection);
  } else if (may_send_again()) {
    ++closed_sent_;
    send(connection, request_);
  }
}

}  // namespace tokometer::bench

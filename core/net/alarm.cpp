#include "net/alarm.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <limits>
#include <utility>

namespace tokometer {

class Alarm::Timer : public std::enable_shared_from_this<Timer> {
 public:
  Timer(boost::asio::io_context& io, std::function<void()> ring) : timer_(io), ring_(std::move(ring)) {}

  void ring_at(int64_t at_ns, int64_t now_ns) {
    if (at_ns >= set_ns_) return;
    set_ns_ = at_ns;
    timer_.expires_after(std::chrono::nanoseconds(std::max<int64_t>(0, at_ns - now_ns)));
    timer_.async_wait([self = shared_from_this(), serial = ++serial_](const boost::system::error_code&) {
      if (serial == self->serial_) self->ring();
    });
  }

  void retire() {
    ++serial_;
    timer_.cancel();
  }

 private:
  void ring() {
    set_ns_ = std::numeric_limits<int64_t>::max();
    ring_();
  }

  boost::asio::steady_timer timer_;
  std::function<void()> ring_;
  int64_t set_ns_ = std::numeric_limits<int64_t>::max();
  uint64_t serial_ = 0;  // of the wait that counts; an older handler finds another number
};

Alarm::Alarm(boost::asio::io_context& io, std::function<void()> ring)
    : timer_(std::make_shared<Timer>(io, std::move(ring))) {}

Alarm::~Alarm() {
  timer_->retire();
}

void Alarm::ring_at(int64_t at_ns, int64_t now_ns) {
  timer_->ring_at(at_ns, now_ns);
}

}  // namespace tokometer

// One steady timer that calls a function at the earliest instant asked for. Lives on the worker's thread;
// when it is destroyed the function is not called any more, whatever is still queued in the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>

namespace tokometer {

class Alarm {
 public:
  Alarm(boost::asio::io_context& io, std::function<void()> ring);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Rings at at_ns, unless it is set to ring earlier already. After ringing it is unset.
  void ring_at(int64_t at_ns, int64_t now_ns);

 private:
  class Timer;
  std::shared_ptr<Timer> timer_;  // shared with its handler inside the io_context
};

}  // namespace tokometer

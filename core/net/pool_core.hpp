// What stands behind a Pool, for each protocol: Pool::Http1 in pool.cpp, Http2Pool. Owned by its Pool; the
// calls are those of Pool, and mean the same.
#pragma once

#include <functional>
#include <string_view>

#include "base/error.hpp"

namespace tokometer {

class ExchangeHandler;
struct PoolCounters;

class PoolCore {
 public:
  virtual ~PoolCore() = default;
  virtual void start(ExchangeHandler& handler, std::string_view request) = 0;
  virtual void cancel(ExchangeHandler& handler) = 0;
  virtual void detach(ExchangeHandler& handler) = 0;
  virtual void preconnect(size_t n, std::function<void(Result<void>)> done) = 0;
  virtual void close_idle() = 0;
  virtual PoolCounters counters() const = 0;
};

}  // namespace tokometer
